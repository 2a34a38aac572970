// A gateway in front of the fake provider. Both are started by `tests/sdk/planes.py`, which runs the tests:
// `python3 tests/sdk/planes.py node --test tests/sdk/node/*.test.mjs`.
//
// Files of tests run at the same time. So each file has groups of its own, one for each API that an upstream may speak,
// and a proxy key that may use these groups alone. The groups have upstream keys of their own, by which scripts and
// received requests are told apart.
import assert from 'node:assert/strict';
import { beforeEach } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

const { GATEWAY_URL, GATEWAY_KEY, GATEWAY_TOKEN, PROVIDER_URL } = process.env;
assert.ok(GATEWAY_URL && PROVIDER_URL, 'run it by: python3 tests/sdk/planes.py node --test tests/sdk/node/*.test.mjs');

/** Where the gateway is, without a version. */
export const URL = GATEWAY_URL;

/** Where the fake provider is, without a version. The packages get there what they would get from a vendor. */
export const PROVIDER = PROVIDER_URL;

/** The proxy key that may use all groups of `planes.py`, those of the faults among them. */
export const ANY_KEY = GATEWAY_KEY;

// An upstream for each API: the vendor, the base URL below the fake provider, and the models.
const APIS = {
  openai: ['openai', '/v1', ['gpt-4o', 'gpt-5.1', 'text-embedding-3-small']],
  compatible: ['openai_compatible', '/v1', ['gpt-4o']],
  responses: ['openai_responses', '/v1', ['gpt-4.1', 'o4-mini']],
  anthropic: ['anthropic', '', ['claude-3-5-haiku', 'claude-sonnet-4-5', 'claude-opus-4-6']],
  gemini: ['gemini', '', ['gemini-2.5-flash', 'gemini-3-flash-preview', 'gemini-embedding-001']],
};

/** The model of each upstream for requests that any model can answer, and the model that thinks. */
const MODELS = {
  openai: { model: 'gpt-4o', thinker: 'gpt-5.1' },
  compatible: { model: 'gpt-4o', thinker: 'gpt-4o' },
  responses: { model: 'gpt-4.1', thinker: 'o4-mini' },
  anthropic: { model: 'claude-sonnet-4-5', thinker: 'claude-opus-4-6' },
  gemini: { model: 'gemini-2.5-flash', thinker: 'gemini-3-flash-preview' },
};

/** Waits until `condition` gives something, and returns that. */
export async function waitFor(what, condition, seconds = 20) {
  for (let until = Date.now() + seconds * 1000; ; ) {
    const value = await condition();
    if (value) return value;
    assert.ok(Date.now() < until, `not within ${seconds} s: ${what}`);
    await pause(10);
  }
}

async function admin(path, body) {
  const headers = { authorization: `Bearer ${GATEWAY_TOKEN}`, 'content-type': 'application/json' };
  const answer = await fetch(`${URL}/admin${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  const made = await answer.json();
  assert.equal(answer.status, 201, JSON.stringify(made));
  return made;
}

async function control(method, path, body) {
  const options = { method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body) };
  const answer = await fetch(`${PROVIDER_URL}${path}`, options);
  const said = await answer.json();
  assert.ok(answer.ok, JSON.stringify(said));
  return said;
}

/** The requests that the fake provider received, oldest first, with parsed headers and bodies. */
async function journal(query = '') {
  const { requests } = await control('GET', `/_fake/journal${query}`);
  return requests.map((request) => {
    const body = request.body === '' ? null : JSON.parse(request.body);
    return { ...request, headers: Object.fromEntries(request.headers), body };
  });
}

/** The requests to the upstreams of `planes.py` for `model`, which the body or the path names. */
export async function receivedFor(model) {
  return (await journal()).filter(({ path, body }) => body?.model === model || path.includes(`/models/${model}:`));
}

/** One upstream that speaks one API. */
class Upstream {
  constructor(api, group, key) {
    Object.assign(this, { api, group, key, ...MODELS[api] });
  }

  /** Has the next request answered by a script of `kind`. The fake provider's documentation lists the kinds. */
  async script(kind, values = {}, apply = 'once') {
    await control('POST', '/_fake/script', { target: { key: this.key }, kind, values, apply });
  }

  /** Has the next answer say `content`. */
  says(content, values = {}) {
    return this.script('saying', { text: content, ...values });
  }

  /** Has the next answer call tools, given as pairs of name and arguments. */
  calls(...calls) {
    return this.script('tool_calls', { calls: calls.map(([name, args]) => ({ name, arguments: args })) });
  }

  /** Forgets the scripts that wait. */
  async forget() {
    await control('DELETE', `/_fake/script?key=${this.key}`);
  }

  /** The requests that were received, oldest first. */
  async received() {
    const own = ({ headers }) =>
      [headers.authorization, headers['x-api-key'], headers['x-goog-api-key']].some((value) => value?.endsWith(this.key));
    return (await journal(`?key=${this.key}`)).filter(own);
  }

  /** The body of the request that was received last. */
  async lastBody() {
    return (await this.received()).at(-1).body;
  }
}

/** Upstreams of every API. The first speaks both APIs of OpenAI's, and is asked in the one that the client speaks. */
const USUAL = ['openai', 'responses', 'anthropic', 'gemini'];

/** Groups and a proxy key for the tests of the file `name`. */
export async function bench(name, apis = USUAL) {
  const upstreams = {};
  const allowedGroups = [];
  for (const api of apis) {
    const [providerType, base, models] = APIS[api];
    const groupName = `node-${name}-${process.pid}-${api}`;
    const key = `sk-upstream-${groupName}-0001`;
    const group = { groupName, providerType, baseUrl: `${PROVIDER_URL}${base}`, apiKeys: [key], models };
    const { id } = await admin('/groups', group);
    allowedGroups.push(id);
    upstreams[api] = new Upstream(api, groupName, key);
  }
  const { key } = await admin('/proxy-keys', { name: `node-${name}-${process.pid}`, allowedGroups });
  const headers = { authorization: `Bearer ${key}` };
  await waitFor('the node knows the key', async () => (await fetch(`${URL}/v1/models`, { headers })).ok);
  const all = Object.values(upstreams);
  // The next test must not find what a failed test has left.
  beforeEach(() => Promise.all(all.map((upstream) => upstream.forget())));
  return { url: URL, key, upstreams, all };
}

/** The items of `iterable`, as a list. */
export async function collect(iterable) {
  const all = [];
  for await (const item of iterable) all.push(item);
  return all;
}
