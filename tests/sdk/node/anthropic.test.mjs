// Messages of `@anthropic-ai/sdk`, before upstreams of every API (checks A1 to A9 in `docs/CONFORMANCE.md` section 10).
//
// There is no test of `413`, for which this package has no class.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
import { ANY_KEY, bench, collect, waitFor } from './support/bench.mjs';
import { CITY, PDF, PNG, user } from './support/samples.mjs';

const { url, key, all, upstreams } = await bench('anthropic');
const settings = { baseURL: url, maxRetries: 0, timeout: 20_000 };
const client = new Anthropic({ ...settings, apiKey: key });
const faulty = new Anthropic({ ...settings, apiKey: ANY_KEY });

const WEATHER = { name: 'weather', description: 'Weather of a city', input_schema: CITY };
const NOW = { name: 'now', input_schema: { type: 'object', properties: {} } };
const USAGE = { prompt_tokens: 12, completion_tokens: 3 };

/** Checks that events stand in the order of the API reference, and that blocks are numbered without a gap. */
function wellOrdered(events) {
  const kinds = events.map(({ type }) => type).filter((type) => type !== 'ping');
  assert.equal(kinds[0], 'message_start');
  assert.deepEqual(kinds.slice(-2), ['message_delta', 'message_stop']);
  assert.equal(kinds.filter((kind) => kind === 'message_start').length, 1);
  let open = null;
  let blocks = 0;
  for (const event of events) {
    if (event.type === 'content_block_start') {
      assert.deepEqual([open, event.index], [null, blocks++]);
      open = event.index;
    } else if (event.type === 'content_block_delta') {
      assert.equal(event.index, open);
    } else if (event.type === 'content_block_stop') {
      assert.equal(event.index, open);
      open = null;
    }
  }
  const [{ message }] = events;
  assert.deepEqual([message.type, message.role, message.content], ['message', 'assistant', []]);
  assert.ok(Number.isInteger(message.usage.input_tokens));
  const { usage, delta } = events.at(-2);
  assert.ok(Number.isInteger(usage.output_tokens));
  assert.ok(delta.stop_reason);
}

/** The blocks without the fields that differ from one answer to the next. */
const settled = (content) => content.map(({ id: _, caller: __, citations: ___, ...block }) => block);

async function failure(asked) {
  try {
    await asked;
  } catch (error) {
    return error;
  }
  return assert.fail('it was to fail');
}

for (const upstream of all) {
  const { api, model, thinker } = upstream;
  const ask = { model, max_tokens: 4096, messages: [user('Hello')] };
  const thinks = { ...ask, model: thinker, thinking: { type: 'enabled', budget_tokens: 2048 } };

  describe(`upstream ${api}`, () => {
    test('A1 an answer', async () => {
      await upstream.says('Bonjour', { usage: { ...USAGE, cached_tokens: 4 } });
      const { data: message, request_id: id } = await client.messages.create({ ...ask, system: 'Be brief' }).withResponse();
      assert.deepEqual([message.type, message.role, message.model], ['message', 'assistant', model]);
      assert.equal(message.content[0].text, 'Bonjour');
      assert.equal(message.stop_reason, 'end_turn');
      const { input_tokens: read, cache_read_input_tokens: cached, output_tokens: said } = message.usage;
      assert.deepEqual([read, cached, said], [8, 4, 3]);
      assert.ok(message.id && id);
      assert.ok(JSON.stringify(await upstream.lastBody()).includes('Be brief'));
    });

    test('A1, A9 a raw stream', async () => {
      await upstream.says('one two three', { usage: USAGE });
      const events = await collect(await client.messages.create({ ...ask, stream: true }));
      wellOrdered(events);
      const deltas = events.filter(({ type }) => type === 'content_block_delta');
      assert.ok(deltas.length >= 3);
      assert.equal(deltas.map(({ delta }) => delta.text).join(''), 'one two three');
      assert.equal(events.at(-2).usage.output_tokens, 3);
    });

    test('A1 the helper', async () => {
      await upstream.says('one two three', { usage: USAGE });
      const stream = client.messages.stream(ask);
      let last = '';
      stream.on('text', (_, snapshot) => (last = snapshot));
      const final = await stream.finalMessage();
      await upstream.says('one two three', { usage: USAGE });
      const whole = await client.messages.create(ask);
      assert.equal(last, 'one two three');
      assert.deepEqual(settled(final.content), settled(whole.content));
      assert.equal(final.usage.output_tokens, 3);
      assert.equal(final.stop_reason, whole.stop_reason);
    });

    test('A2, A9 calls, and the events of their input', async () => {
      await upstream.calls(['weather', '{"city":"Paris, 🇫🇷"}'], ['now', '{}']);
      const stream = client.messages.stream({ ...ask, tools: [WEATHER, NOW] });
      const snapshots = [];
      const events = [];
      stream.on('inputJson', (_, snapshot) => snapshots.push(snapshot));
      stream.on('streamEvent', (event) => events.push(structuredClone(event)));
      const final = await stream.finalMessage();
      wellOrdered(events);
      const calls = final.content.filter(({ type }) => type === 'tool_use');
      assert.deepEqual(calls.map(({ name, input }) => [name, input]), [['weather', { city: 'Paris, 🇫🇷' }], ['now', {}]]);
      assert.equal(final.stop_reason, 'tool_use');
      assert.ok(snapshots.some((snapshot) => snapshot.city === 'Paris, 🇫🇷'));
    });

    // By default the package sends the new messages alone and has the server keep the rest. The gateway refuses that if
    // the provider speaks another API, and the fake provider has always lost it. In both cases the package sends
    // everything again.
    const lost = () => api === 'anthropic' && upstream.says('to the request that finds its thread lost');

    for (const thread of [undefined, false]) {
      test(`A2 the tool runner goes round three times, thread ${thread}`, async () => {
        await upstream.calls(['now', '{}']);
        if (thread !== false) await lost();
        await upstream.calls(['weather', '{"city":"Paris"}'], ['weather', '{"city":"Rome"}']);
        if (thread !== false) await lost();
        await upstream.says('Warm at ten.');
        const seen = [];
        const run = (name) => (input) => {
          seen.push([name, input]);
          return `${name} ran`;
        };
        const tools = [
          betaTool({ name: 'now', description: 'Now', inputSchema: NOW.input_schema, run: run('now') }),
          betaTool({ name: 'weather', description: 'Weather', inputSchema: CITY, run: run('weather') }),
        ];
        const final = await client.beta.messages.toolRunner({ ...ask, tools, ...(thread === false && { thread }) });
        assert.equal(final.content[0].text, 'Warm at ten.');
        assert.deepEqual(seen, [['now', {}], ['weather', { city: 'Paris' }], ['weather', { city: 'Rome' }]]);
        const sent = JSON.stringify(await upstream.lastBody());
        assert.ok(sent.includes('now ran') && sent.includes('weather ran'), sent);
      });
    }

    test('a thread of the package goes on, whoever keeps it', async () => {
      const { messages: _, ...rest } = ask;
      const thread = client.beta.messages.thread({ ...rest, unsupportedRequestBehavior: 'continue_unthreaded' });
      await upstream.says('One.');
      assert.equal((await thread.send(user('Hello'))).content[0].text, 'One.');
      await lost();
      await upstream.says('Two.');
      assert.equal((await thread.stream(user('And then?')).finalMessage()).content[0].text, 'Two.');
      const sent = JSON.stringify(await upstream.lastBody());
      assert.ok(sent.includes('Hello') && sent.includes('One.') && sent.includes('And then?'), sent);
    });

    for (const stream of [false, true]) {
      test(`A3 thoughts and their signatures go round three times, stream ${stream}`, async () => {
        const messages = [user('How warm?')];
        const body = { ...thinks, messages, tools: [WEATHER] };
        const signatures = [];
        for (const city of ['Paris', 'Rome', 'Oslo']) {
          const calls = [{ name: 'weather', arguments: JSON.stringify({ city }) }];
          await upstream.script('thinking', { text: `About ${city}.`, tool_calls: calls });
          const { content } = await (stream ? client.messages.stream(body).finalMessage() : client.messages.create(body));
          const thought = content.find(({ type }) => type === 'thinking');
          assert.equal(thought.thinking, `About ${city}.`);
          assert.equal(typeof thought.signature, 'string');
          signatures.push(thought.signature);
          const call = content.find(({ type }) => type === 'tool_use');
          messages.push({ role: 'assistant', content });
          messages.push(user([{ type: 'tool_result', tool_use_id: call.id, content: '20 degrees' }]));
        }
        await upstream.says('Done.');
        const last = await client.messages.create(body);
        assert.equal(last.content.at(-1).text, 'Done.');
        if (api === 'anthropic') {
          const sent = JSON.stringify(await upstream.lastBody());
          for (const signature of signatures) assert.ok(sent.includes(signature), signature);
        }
      });
    }

    test('A4 a count of tokens', async () => {
      const count = await client.messages.countTokens({ model, messages: [user('one two three')], system: 'Be brief' });
      assert.ok(Number.isInteger(count.input_tokens) && count.input_tokens > 0, JSON.stringify(count));
    });

    test('images and documents, as they are and by their text', async () => {
      const content = [
        { type: 'text', text: 'What is this?' },
        { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
        { type: 'document', title: 'a.pdf', source: { type: 'base64', media_type: 'application/pdf', data: PDF } },
      ];
      await upstream.says('A pixel');
      const message = await client.messages.create({ ...ask, messages: [user(content)] });
      assert.equal(message.content[0].text, 'A pixel');
      const sent = JSON.stringify(await upstream.lastBody());
      assert.ok(sent.includes(PNG) && sent.includes(PDF), sent);
    });

    test('reasons to stop', async () => {
      await upstream.says('one two', { finish: 'length' });
      assert.equal((await client.messages.create(ask)).stop_reason, 'max_tokens');
      await upstream.script('refusal', { text: 'I must not.' }, { times: 2 });
      assert.equal((await client.messages.create(ask)).stop_reason, 'refusal');
      assert.equal((await client.messages.stream(ask).finalMessage()).stop_reason, 'refusal');
    });

    for (const choice of [{ type: 'any' }, { type: 'none' }, { type: 'tool', name: 'now' }]) {
      test(`tool choice ${JSON.stringify(choice)}`, async () => {
        const body = { ...ask, tools: [WEATHER, NOW], tool_choice: choice };
        const { content, stop_reason: reason } = await client.messages.create(body);
        const names = content.filter(({ type }) => type === 'tool_use').map(({ name }) => name);
        assert.deepEqual(names, choice.type === 'none' ? [] : [choice.name ?? 'weather']);
        assert.equal(reason, choice.type === 'none' ? 'end_turn' : 'tool_use');
      });
    }

    test('A7 a stream that fails after it began', async () => {
      for (const ask_by of ['raw', 'helper']) {
        await upstream.says('one two three four', { error_after_chunks: 2 });
        const events = [];
        const stream = ask_by === 'raw' ? await client.messages.create({ ...ask, stream: true }) : client.messages.stream(ask);
        const error = await failure(
          (async () => {
            for await (const event of stream) events.push(event);
          })(),
        );
        assert.ok(error instanceof Anthropic.APIError, String(error));
        assert.ok(!error.message.includes('sk-upstream') && error.message.length > 8);
        assert.ok(events.some(({ type }) => type === 'content_block_delta'));
      }
    });

    for (const cut of [{ after_chunks: 2 }, { inside_chunk: 2 }]) {
      test(`A7 a stream that is cut, ${JSON.stringify(cut)}`, async () => {
        await upstream.says('one two three four', { cut });
        const asked = client.messages.create({ ...ask, stream: true }).then((stream) => collect(stream));
        assert.ok((await failure(asked)) instanceof Anthropic.APIError);
        await upstream.says('one two three four', { cut });
        assert.ok((await failure(client.messages.stream(ask).finalMessage())) instanceof Anthropic.AnthropicError);
      });
    }

    test('leaving a stream cancels it upstream', async () => {
      await upstream.script('endless', { every_ms: 5 });
      const stream = client.messages.stream(ask);
      stream.on('text', () => stream.abort());
      assert.ok((await failure(stream.finalMessage())) instanceof Anthropic.APIUserAbortError);
      const gone = async () => (await upstream.received()).at(-1).end === 'client_gone';
      await waitFor('the request upstream is cancelled', gone, 5);
    });

    for (const [status, expected, seen] of [
      [400, Anthropic.BadRequestError, [400]],
      [401, Anthropic.InternalServerError, [502]],
      [404, Anthropic.NotFoundError, [404]],
      [429, Anthropic.RateLimitError, [429]],
      [500, Anthropic.InternalServerError, [500, 502]],
      [503, Anthropic.InternalServerError, [503, 529]],
    ]) {
      test(`A8 status ${status}`, async () => {
        const error = await failure(faulty.messages.create({ ...ask, model: `${api}/fake-error-${status}` }));
        assert.ok(error instanceof expected, String(error));
        assert.ok(seen.includes(error.status), String(error.status));
        assert.equal(error.error.type, 'error');
        assert.ok(error.error.error.type && error.error.error.message, JSON.stringify(error.error));
        assert.ok(error.error.request_id && error.requestID);
        assert.ok(!JSON.stringify(error.error).includes('sk-upstream'), JSON.stringify(error.error));
      });
    }
  });
}

test('A6 both ways to show the key, on both paths', async () => {
  const both = [
    { baseURL: url, apiKey: key },
    { baseURL: url, apiKey: null, authToken: key },
    { baseURL: `${url}/claude`, apiKey: key },
  ];
  const body = { model: upstreams.anthropic.model, max_tokens: 64, messages: [user('Hello')] };
  for (const options of both) {
    const message = await new Anthropic({ ...settings, ...options }).messages.create(body);
    assert.ok(message.content[0].text);
  }
  const headers = { 'x-api-key': key, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' };
  const answer = await fetch(`${url}/v1/messages`, { method: 'POST', headers, body: JSON.stringify(body) });
  assert.equal(answer.status, 200);
  const { headers: sent } = (await upstreams.anthropic.received()).at(-1);
  assert.equal(sent['anthropic-version'], '2023-06-01');
  assert.equal(sent['x-api-key'], upstreams.anthropic.key);
});

test('A6 version, betas and the query reach the provider', async () => {
  const body = { model: upstreams.anthropic.model, max_tokens: 64, messages: [user('Hello')] };
  // Earlier majors of the package sent this query by themselves.
  await client.beta.messages.create({ ...body, betas: ['context-management-2025-06-27'] }, { query: { beta: true } });
  const { headers, path } = (await upstreams.anthropic.received()).at(-1);
  assert.equal(headers['anthropic-version'], '2026-10-21');
  assert.equal(headers['anthropic-beta'], 'context-management-2025-06-27');
  assert.ok(path.includes('beta=true'), path);
});

test('A8 a provider that is overloaded', async () => {
  await upstreams.anthropic.script('error', { status: 529 }, 'always');
  const body = { model: upstreams.anthropic.model, max_tokens: 64, messages: [user('Hello')] };
  const error = await failure(client.messages.create(body));
  assert.deepEqual([error.status, error.error.error.type], [529, 'overloaded_error']);
  assert.ok(error instanceof Anthropic.InternalServerError);
});

test('A8 a request that is too large', async () => {
  const body = { model: upstreams.anthropic.model, max_tokens: 64, messages: [user('x'.repeat(300_000))] };
  const error = await failure(client.messages.create(body));
  assert.deepEqual([error.status, error.error.error.type], [413, 'request_too_large']);
});

test('A8 a key that opens nothing, a model that nobody serves', async () => {
  const body = { model: 'nothing', max_tokens: 64, messages: [user('Hello')] };
  const stranger = new Anthropic({ ...settings, apiKey: 'sk-orch-nothing' });
  const unknown = await failure(stranger.messages.create(body));
  assert.ok(unknown instanceof Anthropic.AuthenticationError);
  assert.equal(unknown.error.error.type, 'authentication_error');
  const missing = await failure(client.messages.create(body));
  assert.ok(missing instanceof Anthropic.NotFoundError);
  assert.equal(missing.error.error.type, 'not_found_error');
});

test('A5 the models', async () => {
  const ids = [];
  for await (const model of client.models.list()) {
    assert.ok(model.type === 'model' && model.display_name && !Number.isNaN(Date.parse(model.created_at)));
    ids.push(model.id);
  }
  for (const id of ['claude-sonnet-4-5', 'gpt-4o', 'gemini-2.5-flash']) assert.ok(ids.includes(id), id);
  assert.equal((await client.models.retrieve('claude-sonnet-4-5')).id, 'claude-sonnet-4-5');
  assert.ok((await failure(client.models.retrieve('nothing'))) instanceof Anthropic.NotFoundError);
});
