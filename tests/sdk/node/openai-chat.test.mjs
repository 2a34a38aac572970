// Chat completions of `openai`, before upstreams of every API: whole, raw streams, the helper's events, structured
// answers, images and documents, and leaving a stream (checks N1, N2 and N6 in `docs/CONFORMANCE.md` section 10).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { bench, collect, waitFor } from './support/bench.mjs';
import { CITY, PDF, PNG, user } from './support/samples.mjs';

const { url, key, all } = await bench('openai-chat');
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0, timeout: 20_000 });

const WEATHER = { type: 'function', function: { name: 'weather', description: 'Weather of a city', parameters: CITY } };
const TIME = { type: 'function', function: { name: 'time', parameters: CITY } };
const USAGE = { prompt_tokens: 12, completion_tokens: 3 };

/** Adds a stream up as the vendor's examples do. */
async function accumulate(stream) {
  const seen = { text: '', reasoning: '', calls: [], reasons: [], usages: [], chunks: [] };
  for await (const chunk of stream) {
    seen.chunks.push(chunk);
    if (chunk.usage) seen.usages.push(chunk.usage);
    for (const { delta, finish_reason: reason } of chunk.choices) {
      seen.text += delta.content ?? '';
      seen.reasoning += delta.reasoning_content ?? '';
      if (reason) seen.reasons.push(reason);
      for (const { index, id, function: called } of delta.tool_calls ?? []) {
        const call = (seen.calls[index] ??= { id: '', name: '', arguments: '' });
        call.id += id ?? '';
        call.name += called?.name ?? '';
        call.arguments += called?.arguments ?? '';
      }
    }
  }
  return seen;
}

/** The message without the fields that differ from one answer to the next. */
function settled({ choices: [{ message, finish_reason: reason }], usage, model }) {
  const calls = message.tool_calls?.map(({ type, function: called }) => ({
    type,
    name: called.name,
    arguments: JSON.parse(called.arguments),
  }));
  return { content: message.content, refusal: message.refusal ?? null, calls: calls ?? [], reason, usage, model };
}

for (const upstream of all) {
  const { api, model, thinker } = upstream;
  const ask = { model, messages: [user('Hello')] };

  describe(`upstream ${api}`, () => {
    test('an answer', async () => {
      await upstream.says('Bonjour', { usage: { ...USAGE, cached_tokens: 4 } });
      const { data: answer, request_id: id } = await client.chat.completions.create(ask).withResponse();
      assert.equal(answer.object, 'chat.completion');
      assert.equal(answer.model, model);
      assert.ok(answer.id && id && Number.isInteger(answer.created));
      assert.equal(answer.choices.length, 1);
      const [choice] = answer.choices;
      assert.deepEqual([choice.index, choice.finish_reason], [0, 'stop']);
      assert.deepEqual([choice.message.role, choice.message.content], ['assistant', 'Bonjour']);
      assert.equal(choice.message.tool_calls, undefined);
      const { prompt_tokens: read, completion_tokens: said, total_tokens: total } = answer.usage;
      assert.deepEqual([read, said, total], [12, 3, 15]);
      assert.equal(answer.usage.prompt_tokens_details.cached_tokens, 4);
    });

    test('what a request has arrives', async () => {
      const messages = [{ role: 'system', content: 'Be brief' }, { role: 'developer', content: 'Be kind' }, user('héllo 🚀')];
      await client.chat.completions.create({ ...ask, messages, temperature: 0.25, stop: 'END', max_completion_tokens: 64 });
      const sent = JSON.stringify(await upstream.lastBody());
      for (const part of ['Be brief', 'Be kind', 'héllo 🚀', '0.25', '64']) assert.ok(sent.includes(part), `${part} in ${sent}`);
    });

    for (const asked of [undefined, false, true]) {
      test(`a raw stream, include_usage ${asked}`, async () => {
        await upstream.says('one two three', { usage: USAGE });
        const options = asked === undefined ? {} : { stream_options: { include_usage: asked } };
        const seen = await accumulate(await client.chat.completions.create({ ...ask, stream: true, ...options }));
        assert.equal(seen.text, 'one two three');
        assert.deepEqual(seen.reasons, ['stop']);
        assert.equal(new Set(seen.chunks.map(({ id }) => id)).size, 1);
        assert.ok(seen.chunks.every((chunk) => chunk.object === 'chat.completion.chunk' && chunk.model === model));
        assert.equal(seen.chunks[0].choices[0].delta.role, 'assistant');
        if (asked) {
          assert.deepEqual(seen.usages.map((usage) => usage.total_tokens), [15]);
          assert.deepEqual(seen.chunks.at(-1).choices, []);
        } else {
          assert.deepEqual(seen.usages, []);
          assert.ok(seen.chunks.every(({ choices }) => choices.length === 1));
        }
      });
    }

    test('a raw stream of two calls', async () => {
      const calls = [['weather', '{"city":"Paris, 🇫🇷"}'], ['time', '{"city":"Rome"}']];
      await upstream.calls(...calls);
      const seen = await accumulate(await client.chat.completions.create({ ...ask, tools: [WEATHER, TIME], stream: true }));
      assert.deepEqual(seen.calls.map(({ name, arguments: text }) => [name, text]), calls);
      assert.equal(new Set(seen.calls.map(({ id }) => id)).size, 2);
      assert.deepEqual(seen.reasons, ['tool_calls']);
    });

    test('a stream that is cut anywhere', async () => {
      await upstream.says('naïve 🚀 日本語', { seed: 7 });
      const seen = await accumulate(await client.chat.completions.create({ ...ask, stream: true }));
      assert.equal(seen.text, 'naïve 🚀 日本語');
    });

    test('the helper: events of content', async () => {
      await upstream.says('one two three', { usage: USAGE });
      const stream = client.chat.completions.stream({ ...ask, stream_options: { include_usage: true } });
      const seen = { content: '', last: '', done: [] };
      stream.on('content', (delta, snapshot) => {
        seen.content += delta;
        seen.last = snapshot;
      });
      stream.on('content.done', ({ content }) => seen.done.push(content));
      const final = await stream.finalChatCompletion();
      assert.deepEqual(seen, { content: 'one two three', last: 'one two three', done: ['one two three'] });
      assert.equal(final.usage.total_tokens, 15);
      await upstream.says('one two three', { usage: USAGE });
      assert.deepEqual(settled(final), settled(await client.chat.completions.create(ask)));
    });

    test('the helper: events of calls', async () => {
      const calls = [['weather', '{"city":"Paris"}'], ['time', '{"city":"Rome"}']];
      const body = { ...ask, tools: [WEATHER, TIME] };
      await upstream.calls(...calls);
      const stream = client.chat.completions.stream({ ...body, stream_options: { include_usage: true } });
      const done = [];
      stream.on('tool_calls.function.arguments.done', (event) => done.push([event.index, event.name, event.arguments]));
      const final = await stream.finalChatCompletion();
      assert.deepEqual(done, calls.map(([name, text], index) => [index, name, text]));
      assert.equal(final.choices[0].finish_reason, 'tool_calls');
      await upstream.calls(...calls);
      assert.deepEqual(settled(final), settled(await client.chat.completions.create(body)));
    });

    test('structured answers', async () => {
      const City = z.object({
        name: z.string(),
        size: z.enum(['small', 'large']),
        mayor: z.object({ name: z.string(), since: z.int() }).nullable(),
        twins: z.array(z.string()),
      });
      const answer = await client.chat.completions.parse({ ...ask, response_format: zodResponseFormat(City, 'city') });
      const { parsed, refusal } = answer.choices[0].message;
      assert.ok(City.safeParse(parsed).success, JSON.stringify(answer.choices[0].message));
      assert.equal(refusal ?? null, null);
      assert.equal(answer.choices[0].finish_reason, 'stop');

      const stream = client.chat.completions.stream({ ...ask, response_format: zodResponseFormat(City, 'city') });
      const final = await stream.finalChatCompletion();
      assert.deepEqual(final.choices[0].message.parsed, parsed);
    });

    test('JSON of no schema', async () => {
      await upstream.says('{"answer":"Paris"}');
      const messages = [user('Answer in JSON')];
      const answer = await client.chat.completions.create({ ...ask, messages, response_format: { type: 'json_object' } });
      assert.deepEqual(JSON.parse(answer.choices[0].message.content), { answer: 'Paris' });
    });

    test('an image and a document', async () => {
      const content = [
        { type: 'text', text: 'What is this?' },
        { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } },
        { type: 'file', file: { filename: 'a.pdf', file_data: `data:application/pdf;base64,${PDF}` } },
      ];
      await upstream.says('A pixel');
      const answer = await client.chat.completions.create({ ...ask, messages: [user(content)] });
      assert.equal(answer.choices[0].message.content, 'A pixel');
      const sent = JSON.stringify(await upstream.lastBody());
      assert.ok(sent.includes(PNG) && sent.includes(PDF) && sent.includes('application/pdf'), sent);
    });

    test('a refusal', async () => {
      await upstream.script('refusal', { text: 'I must not.' }, { times: 2 });
      const answer = await client.chat.completions.create(ask);
      assert.equal(answer.choices[0].message.content ?? '', '');
      assert.ok(answer.choices[0].message.refusal);
      const stream = client.chat.completions.stream(ask);
      const final = await stream.finalChatCompletion();
      assert.equal(final.choices[0].message.refusal, answer.choices[0].message.refusal);
      assert.equal(final.choices[0].finish_reason, answer.choices[0].finish_reason);
    });

    test('an answer that is cut short by its limit', async () => {
      await upstream.says('one two', { finish: 'length' });
      const answer = await client.chat.completions.create(ask);
      assert.equal(answer.choices[0].finish_reason, 'length');
    });

    test('reasoning', async () => {
      await upstream.script('thinking', { text: 'Let me see.', content: 'Yes.' }, { times: 2 });
      const body = { ...ask, model: thinker, reasoning_effort: 'high' };
      const answer = await client.chat.completions.create(body);
      assert.equal(answer.choices[0].message.reasoning_content, 'Let me see.');
      assert.equal(answer.choices[0].message.content, 'Yes.');
      const seen = await accumulate(await client.chat.completions.create({ ...body, stream: true }));
      assert.deepEqual([seen.reasoning, seen.text], ['Let me see.', 'Yes.']);
    });

    for (const [how, leave] of [
      ['an abort controller', (stream) => stream.controller.abort()],
      ['a break', () => {}],
    ]) {
      test(`leaving a stream by ${how} cancels it upstream`, async () => {
        await upstream.script('endless', { every_ms: 5 });
        const stream = await client.chat.completions.create({ ...ask, stream: true });
        let chunks = 0;
        for await (const chunk of stream) {
          assert.ok(chunk.choices);
          if (++chunks < 3) continue;
          leave(stream);
          break;
        }
        const gone = async () => (await upstream.received()).at(-1).end === 'client_gone';
        await waitFor('the request upstream is cancelled', gone, 5);
      });
    }

    test('an abort before the head cancels it upstream', async () => {
      await upstream.says('late', { head_delay_ms: 60_000 });
      const before = (await upstream.received()).length;
      const controller = new AbortController();
      const asked = client.chat.completions.create(ask, { signal: controller.signal });
      const [received] = await Promise.all([
        waitFor('it is asked', async () => (await upstream.received()).at(before), 5).then((found) => {
          controller.abort();
          return found;
        }),
        assert.rejects(asked, OpenAI.APIUserAbortError),
      ]);
      assert.equal(received.end, null);
      await waitFor('it is cancelled', async () => (await upstream.received()).at(before).end === 'client_gone', 5);
    });
  });
}

test('the package keeps streams apart', async () => {
  const streams = Array.from({ length: 80 }, async (_, index) => {
    const { model } = all[index % all.length];
    const stream = await client.chat.completions.create({ model, messages: [user(`mark-${index}`)], stream: true });
    const ids = new Set((await collect(stream)).map((chunk) => `${chunk.id} ${chunk.model}`));
    assert.equal(ids.size, 1);
    return [...ids][0];
  });
  assert.equal(new Set(await Promise.all(streams)).size, 80);
});
