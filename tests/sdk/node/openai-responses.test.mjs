// Responses of `openai`, before upstreams of every API (check N7 in `docs/CONFORMANCE.md` section 10): whole, the
// helper's events, tools, reasoning, structured answers, and answers that refer to earlier ones, which the server
// keeps.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { bench, collect, waitFor } from './support/bench.mjs';
import { CITY, PDF, PNG } from './support/samples.mjs';

const { url, key, all } = await bench('openai-responses');
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0, timeout: 20_000 });

const WEATHER = { type: 'function', name: 'weather', parameters: CITY, strict: true };
const NOW = { type: 'function', name: 'now', parameters: null, strict: false };
const USAGE = { prompt_tokens: 12, completion_tokens: 3, cached_tokens: 4, reasoning_tokens: 1 };

// Every event of the API reference that a text, a call, a refusal or thoughts may cause.
const KNOWN = new Set(
  `response.created response.queued response.in_progress response.completed response.incomplete response.failed error
   response.output_item.added response.output_item.done response.content_part.added response.content_part.done
   response.output_text.delta response.output_text.done response.output_text.annotation.added
   response.refusal.delta response.refusal.done
   response.function_call_arguments.delta response.function_call_arguments.done
   response.reasoning_summary_part.added response.reasoning_summary_part.done
   response.reasoning_summary_text.delta response.reasoning_summary_text.done
   response.reasoning_text.delta response.reasoning_text.done`.split(/\s+/),
);

/** Checks that events are known and numbered, and that each item and part is announced before it is used, and closed. */
function wellOrdered(events) {
  const open = new Map();
  for (const [index, event] of events.entries()) {
    assert.ok(KNOWN.has(event.type), event.type);
    assert.equal(event.sequence_number, index, event.type);
    if (event.type === 'response.output_item.added') {
      assert.equal(event.output_index, open.size);
      open.set(event.output_index, event.item.id);
    } else if (event.type === 'response.output_item.done') {
      assert.equal(open.get(event.output_index), event.item.id);
    } else if ('item_id' in event) {
      assert.equal(open.get(event.output_index), event.item_id, event.type);
    }
  }
  assert.equal(events[0].type, 'response.created');
  assert.match(events.at(-1).type, /^response\.(completed|incomplete)$/);
  const last = events.at(-1).response;
  assert.deepEqual(last.output.map(({ id }) => id), [...open.values()]);
  assert.equal(last.id, events[0].response.id);
}

/** The events of the helper, and the response that it makes of them. */
async function streamed(body) {
  const stream = client.responses.stream(body);
  const snapshots = [];
  stream.on('response.output_text.delta', ({ snapshot }) => snapshots.push(snapshot));
  const events = await collect(stream);
  wellOrdered(events);
  return { events, snapshots, final: await stream.finalResponse() };
}

for (const upstream of all) {
  const { api, model, thinker } = upstream;
  const ask = { model, input: 'Hello' };

  describe(`upstream ${api}`, () => {
    test('an answer', async () => {
      await upstream.says('Bonjour', { usage: USAGE });
      const answer = await client.responses.create({ ...ask, instructions: 'Be brief' });
      assert.deepEqual([answer.object, answer.status, answer.model], ['response', 'completed', model]);
      assert.equal(answer.output_text, 'Bonjour');
      assert.ok(Number.isInteger(answer.created_at));
      const { input_tokens: read, output_tokens: said, total_tokens: total, ...details } = answer.usage;
      assert.deepEqual([read, said, total], [12, 3, 15]);
      assert.equal(details.input_tokens_details.cached_tokens, 4);
      assert.equal(details.output_tokens_details.reasoning_tokens, 1);
      assert.ok(JSON.stringify(await upstream.lastBody()).includes('Be brief'));
    });

    test('a raw stream', async () => {
      await upstream.says('one two three');
      const events = await collect(await client.responses.create({ ...ask, stream: true }));
      wellOrdered(events);
      const deltas = events.filter(({ type }) => type === 'response.output_text.delta');
      assert.ok(deltas.length >= 3);
      assert.equal(deltas.map(({ delta }) => delta).join(''), 'one two three');
    });

    test('the helper', async () => {
      await upstream.says('one two three', { usage: USAGE });
      const { snapshots, final } = await streamed(ask);
      assert.equal(final.output_text, 'one two three');
      assert.equal(final.usage.total_tokens, 15);
      assert.equal(snapshots.at(-1), 'one two three');
    });

    test('the helper: two calls, one without arguments', async () => {
      await upstream.calls(['weather', '{"city":"Paris, 🇫🇷"}'], ['now', '{}']);
      const { events, final } = await streamed({ ...ask, tools: [WEATHER, NOW] });
      const calls = final.output.filter(({ type }) => type === 'function_call');
      const made = calls.map(({ name, arguments: text, status }) => [name, text, status]);
      assert.deepEqual(made, [['weather', '{"city":"Paris, 🇫🇷"}', 'completed'], ['now', '{}', 'completed']]);
      const done = events.filter(({ type }) => type === 'response.function_call_arguments.done');
      assert.deepEqual(done.map((event) => event.arguments), ['{"city":"Paris, 🇫🇷"}', '{}']);
    });

    test('the helper: thoughts, then text', async () => {
      await upstream.script('thinking', { text: 'Let me see.', content: 'Yes.' });
      const { final } = await streamed({ ...ask, model: thinker, reasoning: { effort: 'high', summary: 'auto' } });
      assert.deepEqual(final.output.map(({ type }) => type), ['reasoning', 'message']);
      assert.equal(final.output[0].summary.map(({ text }) => text).join(''), 'Let me see.');
      assert.equal(final.output_text, 'Yes.');
    });

    test('the helper: a refusal, and an answer cut short', async () => {
      await upstream.script('refusal', { text: 'I must not.' });
      const { final } = await streamed(ask);
      assert.equal(final.output_text, '');
      assert.equal(final.output[0].content[0].type, 'refusal');
      await upstream.says('one two', { finish: 'length' });
      const { final: short } = await streamed(ask);
      assert.deepEqual([short.status, short.incomplete_details.reason], ['incomplete', 'max_output_tokens']);
    });

    test('structured answers', async () => {
      const City = z.object({ name: z.string(), twins: z.array(z.string()).nullable(), size: z.enum(['s', 'l']) });
      const text = { format: zodTextFormat(City, 'city') };
      const answer = await client.responses.parse({ ...ask, text });
      assert.ok(City.safeParse(answer.output_parsed).success, JSON.stringify(answer.output));
      const { final } = await streamed({ ...ask, text });
      assert.deepEqual(final.output_parsed, answer.output_parsed);
    });

    test('an image and a document', async () => {
      const content = [
        { type: 'input_text', text: 'What is this?' },
        { type: 'input_image', image_url: `data:image/png;base64,${PNG}`, detail: 'auto' },
        { type: 'input_file', filename: 'a.pdf', file_data: `data:application/pdf;base64,${PDF}` },
      ];
      await upstream.says('A pixel');
      const answer = await client.responses.create({ ...ask, input: [{ role: 'user', content }] });
      assert.equal(answer.output_text, 'A pixel');
      const sent = JSON.stringify(await upstream.lastBody());
      assert.ok(sent.includes(PNG) && sent.includes(PDF), sent);
    });

    test('three rounds with the output appended', async () => {
      const input = [{ role: 'user', content: 'How warm?' }];
      for (const city of ['Paris', 'Rome', 'Oslo']) {
        const calls = [{ name: 'weather', arguments: JSON.stringify({ city }) }, { name: 'now', arguments: '{}' }];
        await upstream.script('thinking', { text: `About ${city}.`, tool_calls: calls });
        const body = { model: thinker, input, tools: [WEATHER, NOW], store: false };
        const thinks = { reasoning: { effort: 'high', summary: 'auto' }, include: ['reasoning.encrypted_content'] };
        const answer = await client.responses.create({ ...body, ...thinks });
        // Gemini signs calls. The signature of a call is a reasoning item of its own.
        const kinds = answer.output.map(({ type }) => type).join(' ');
        assert.match(kinds, /^(reasoning )+function_call function_call$/);
        input.push(...answer.output);
        for (const { call_id, type } of answer.output) {
          if (type === 'function_call') input.push({ type: 'function_call_output', call_id, output: '20 degrees' });
        }
      }
      await upstream.says('Done.');
      const answer = await client.responses.create({ model: thinker, input, tools: [WEATHER, NOW], store: false });
      assert.equal(answer.output_text, 'Done.');
    });

    test('an answer that refers to the one before', async () => {
      await upstream.says('One.');
      const first = await client.responses.create(ask);
      await upstream.says('Two.');
      const second = await client.responses.create({ model, input: 'And then?', previous_response_id: first.id });
      assert.equal(second.output_text, 'Two.');
      await upstream.says('Three.');
      const third = await client.responses.create({ model, input: 'And then?', previous_response_id: second.id });
      assert.equal(third.output_text, 'Three.');
      const sent = JSON.stringify(await upstream.lastBody());
      assert.ok(sent.includes(second.id) || (sent.includes('One.') && sent.includes('Two.')), sent);
    });

    test('a call is answered by reference', async () => {
      await upstream.calls(['weather', '{"city":"Paris"}']);
      const tools = [WEATHER];
      const first = await client.responses.create({ ...ask, tools });
      const { call_id } = first.output.find(({ type }) => type === 'function_call');
      await upstream.says('Warm.');
      const input = [{ type: 'function_call_output', call_id, output: '21 degrees' }];
      const second = await client.responses.create({ model, input, tools, previous_response_id: first.id });
      assert.equal(second.output_text, 'Warm.');
    });

    // Only a provider of this API has an endpoint for the responses that it keeps.
    const keeps = api === 'openai' || api === 'responses';
    test('what was kept is given again, and forgotten', { skip: !keeps && 'the provider keeps nothing' }, async () => {
      await upstream.says('One.');
      const { id } = await client.responses.create(ask);
      const kept = await client.responses.retrieve(id);
      assert.deepEqual([kept.id, kept.output_text], [id, 'One.']);
      await client.responses.delete(id);
      await assert.rejects(client.responses.retrieve(id), OpenAI.NotFoundError);
    });

    test('what nobody kept is not found', async () => {
      const asked = client.responses.create({ ...ask, previous_response_id: 'resp_nothing' });
      await assert.rejects(asked, (error) => error instanceof OpenAI.BadRequestError && error.param === 'previous_response_id');
    });

    test('a stream that fails after it began', async () => {
      await upstream.says('one two three four', { error_after_chunks: 2 });
      const seen = [];
      const stream = client.responses.stream(ask);
      await assert.rejects(async () => {
        for await (const event of stream) seen.push(event.type);
      }, OpenAI.OpenAIError);
      assert.ok(seen.includes('response.output_text.delta'));
    });

    for (const cut of [{ after_chunks: 2 }, { inside_chunk: 2 }]) {
      test(`a stream that is cut, ${JSON.stringify(cut)}`, async () => {
        await upstream.says('one two three four', { cut });
        await assert.rejects(collect(client.responses.stream(ask)), OpenAI.OpenAIError);
      });
    }

    test('leaving a stream cancels it upstream', async () => {
      await upstream.script('endless', { every_ms: 5 });
      const stream = await client.responses.create({ ...ask, stream: true });
      for await (const event of stream) {
        if (event.type === 'response.output_text.delta') stream.controller.abort();
      }
      const gone = async () => (await upstream.received()).at(-1).end === 'client_gone';
      await waitFor('the request upstream is cancelled', gone, 5);
    });
  });
}
