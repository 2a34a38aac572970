// Recorded answers of providers, each through every client: none of them raises, and every answer ends for a reason
// that its API knows (check X2 in `docs/CONFORMANCE.md` section 10). If the client speaks the provider's own API the
// bytes pass, and some of them no package can read. Then the package must fail in the same way at the provider itself.
//
// The tests run if `WIRE_RECORDINGS` names a directory of recorded exchanges. It has a folder for each provider, and in
// it JSON files with `request.path`, `response.status`, and `response.body` or `response.sse`. Answers of chat APIs
// that are not healthy are left out: errors, and those in `FAULTY` by name.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { generateText, streamText } from 'ai';
import OpenAI from 'openai';
import { PROVIDER, bench, collect } from './support/bench.mjs';
import { user } from './support/samples.mjs';
import { providers } from './support/vercel.mjs';

const { WIRE_RECORDINGS: root } = process.env;

// A folder of recordings -> the API of the upstream that it was recorded from.
const FOLDERS = {
  'openai-chat': 'compatible',
  'compat-chat': 'compatible',
  'openai-responses': 'responses',
  'compat-responses': 'responses',
  anthropic: 'anthropic',
  gemini: 'gemini',
  vertex: 'gemini',
};
const PATHS = /\/(chat\/completions|responses|messages)(\?|$)|:(streamG|g)enerateContent/;
// These are a stream that fails midway, one with a wrong content type, and calls of a kind of tools that no client here
// offers.
const FAULTY = ['groq_midstream_error_event', 'wrong_content_type', 'custom_tool'];

/** The healthy answers in `folder`. */
function recordings(folder) {
  const directory = join(resolve(root), folder);
  const files = readdirSync(directory).filter((name) => name.endsWith('.json') && !FAULTY.some((faulty) => name.startsWith(faulty)));
  const read = files.sort().map((name) => ({ path: join(directory, name), ...JSON.parse(readFileSync(join(directory, name))) }));
  const healthy = read.filter(({ request, response }) => response.status === 200 && PATHS.test(request.path));
  return healthy.map(({ path, response }) => ({ path, streams: typeof response.sse === 'string' }));
}

const FINISHED = ['stop', 'length', 'tool_calls', 'content_filter', 'function_call'];

/** Every client of `target`: its name, the API that it speaks, and what it does with an answer that streams or does not. */
function clients(target) {
  const openai = new OpenAI({ baseURL: `${target.url}/v1`, apiKey: target.key, maxRetries: 0, timeout: 20_000 });
  const counts = ['prompt_tokens', 'completion_tokens', 'input_tokens', 'output_tokens', 'total_tokens'];
  const counted = (usage) => counts.every((name) => usage[name] === undefined || Number.isInteger(usage[name]));
  const ended = ({ choices, usage }) => {
    assert.ok(choices.length >= 1);
    for (const { finish_reason: reason, message } of choices) {
      assert.ok(FINISHED.includes(reason), `finish_reason ${reason}`);
      assert.equal(message.role, 'assistant');
      for (const call of message.tool_calls ?? []) assert.ok(call.id && call.type, JSON.stringify(call));
    }
    assert.ok(!usage || counted(usage), JSON.stringify(usage));
  };
  const answered = ({ status, output, usage }) => {
    assert.match(status, /^(completed|incomplete)$/);
    assert.ok(Array.isArray(output) && (!usage || counted(usage)));
  };
  const all = [];
  const client = (name, api, ask) => all.push({ name, api, ask });
  client('openai: chat completions', 'compatible', async (model, streams) => {
    const body = { model, messages: [user('Hello')] };
    if (!streams) return ended(await openai.chat.completions.create(body));
    const chunks = await collect(await openai.chat.completions.create({ ...body, stream: true }));
    return assert.ok(chunks.some(({ choices }) => choices.some((choice) => FINISHED.includes(choice.finish_reason))));
  });
  client('openai: the helper of chat completions', 'compatible', async (model, streams) => {
    const body = { model, messages: [user('Hello')], stream_options: { include_usage: true } };
    if (streams) ended(await openai.chat.completions.stream(body).finalChatCompletion());
  });
  client('openai: responses', 'responses', async (model, streams) => {
    const body = { model, input: 'Hello', store: false };
    if (!streams) return answered(await openai.responses.create(body));
    const events = await collect(await openai.responses.create({ ...body, stream: true }));
    return answered(events.at(-1).response);
  });
  client('openai: the helper of responses', 'responses', async (model, streams) => {
    if (streams) answered(await openai.responses.stream({ model, input: 'Hello', store: false }).finalResponse());
  });
  const reasons = ['stop', 'length', 'tool-calls', 'content-filter'];
  for (const { name, api, of, always: providerOptions } of providers(target)) {
    client(`ai: ${name}`, api, async (model, streams) => {
      const ask = { model: of(model), prompt: 'Hello', maxOutputTokens: 4096, maxRetries: 0, providerOptions };
      if (!streams) {
        const { finishReason } = await generateText(ask);
        return assert.ok(reasons.includes(finishReason), finishReason);
      }
      const errors = [];
      const stream = streamText({ ...ask, onError: ({ error }) => errors.push(String(error)) });
      await stream.consumeStream();
      assert.deepEqual(errors, []);
      const reason = await stream.finishReason;
      return assert.ok(reasons.includes(reason), reason);
    });
  }
  return all;
}

/** What goes wrong when `ask` gets the answer that is recorded in `path`. */
async function problem(upstream, path, streams, ask) {
  await upstream.forget();
  await upstream.script('recording', { recording: path });
  try {
    await ask(upstream.model, streams);
    return null;
  } catch (error) {
    return String(error?.message ?? error);
  }
}

if (root) {
  const gateway = await bench('recordings', ['compatible', 'responses', 'anthropic', 'gemini']);
  for (const [index, { name, api: spoken, ask }] of clients(gateway).entries()) {
    describe(name, () => {
      for (const [folder, api] of Object.entries(FOLDERS)) {
        test(`reads what is recorded in ${folder}`, async () => {
          const upstream = gateway.upstreams[api];
          const failures = {};
          for (const { path, streams } of recordings(folder)) {
            const found = await problem(upstream, path, streams, ask);
            if (found === null) continue;
            const direct = clients({ url: PROVIDER, key: upstream.key })[index].ask;
            const same = spoken === api && found === (await problem(upstream, path, streams, direct));
            if (!same) failures[basename(path)] = found;
          }
          assert.deepEqual(failures, {});
        });
      }
    });
  }
} else {
  test('recorded answers', { skip: 'WIRE_RECORDINGS names no directory' }, () => {});
}
