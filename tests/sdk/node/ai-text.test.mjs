// Text of the Vercel AI SDK: its five providers, each before upstreams of every API (checks V1, V4, V5 and V6 in
// `docs/CONFORMANCE.md` section 10).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { APICallError, generateText, streamText } from 'ai';
import { bench, collect, waitFor } from './support/bench.mjs';
import { PDF, PNG } from './support/samples.mjs';
import { providers } from './support/vercel.mjs';

const gateway = await bench('ai-text');
const USAGE = { prompt_tokens: 12, completion_tokens: 3 };

for (const { name, of, always: providerOptions, thinking, thoughtless } of providers(gateway)) {
  for (const upstream of gateway.all) {
    const { model, thinker } = upstream;
    const ask = { model: of(model), prompt: 'Hello', maxOutputTokens: 4096, maxRetries: 0, providerOptions };
    const thinks = { ...ask, model: of(thinker), providerOptions: thinking };

    describe(`${name} before ${upstream.api}`, () => {
      test('generateText', async () => {
        await upstream.says('Bonjour', { usage: { ...USAGE, cached_tokens: 4 } });
        const { text, finishReason, usage, warnings, response } = await generateText(ask);
        assert.equal(text, 'Bonjour');
        assert.equal(finishReason, 'stop');
        assert.deepEqual([usage.inputTokens, usage.outputTokens, usage.totalTokens], [12, 3, 15]);
        assert.equal(usage.cachedInputTokens, 4);
        assert.deepEqual(warnings ?? [], []);
        assert.ok(response.id);
      });

      test('streamText', async () => {
        await upstream.says('one two three', { usage: USAGE });
        const stream = streamText(ask);
        const parts = await collect(stream.fullStream);
        assert.deepEqual(parts.filter(({ type }) => type === 'error'), []);
        assert.equal(await stream.text, 'one two three');
        assert.equal(await stream.finishReason, 'stop');
        assert.ok(parts.filter(({ type }) => type === 'text-delta').length >= 3);
        const { inputTokens, outputTokens, totalTokens } = await stream.totalUsage;
        assert.deepEqual([inputTokens, outputTokens, totalTokens], [12, 3, 15]);
      });

      test('reasons to end', async () => {
        for (const [finish, expected] of [
          ['length', 'length'],
          ['content_filter', 'content-filter'],
        ]) {
          await upstream.says('one two', { finish });
          assert.equal((await generateText(ask)).finishReason, expected);
          await upstream.says('one two', { finish });
          const stream = streamText(ask);
          await stream.consumeStream();
          assert.equal(await stream.finishReason, expected);
        }
      });

      test('a refusal', async () => {
        await upstream.script('refusal', { text: 'I must not.' });
        assert.equal((await generateText(ask)).finishReason, 'content-filter');
      });

      test('reasoning', { skip: thoughtless && 'the provider knows nothing of reasoning texts' }, async () => {
        const script = { text: 'Let me see.', content: 'Yes.', usage: { ...USAGE, reasoning_tokens: 2 } };
        await upstream.script('thinking', script);
        const whole = await generateText(thinks);
        assert.deepEqual([whole.reasoningText, whole.text, whole.finishReason], ['Let me see.', 'Yes.', 'stop']);
        assert.equal(whole.usage.reasoningTokens, 2);

        await upstream.script('thinking', script);
        const stream = streamText(thinks);
        const parts = await collect(stream.fullStream);
        assert.deepEqual(parts.filter(({ type }) => type === 'error'), []);
        const kinds = new Set(parts.map(({ type }) => type));
        for (const kind of ['reasoning-start', 'reasoning-delta', 'reasoning-end']) assert.ok(kinds.has(kind), kind);
        assert.deepEqual([await stream.reasoningText, await stream.text], ['Let me see.', 'Yes.']);
      });

      test('a stream that fails after it began', async () => {
        await upstream.says('one two three four', { error_after_chunks: 2 });
        const errors = [];
        const stream = streamText({ ...ask, onError: ({ error }) => errors.push(error) });
        const parts = await collect(stream.fullStream);
        assert.ok(parts.some(({ type }) => type === 'text-delta'));
        assert.equal(parts.filter(({ type }) => type === 'error').length, 1);
        assert.equal(errors.length, 1);
        assert.notEqual(parts.at(-1).finishReason, 'stop');
      });

      for (const cut of [{ after_chunks: 2 }, { inside_chunk: 2 }]) {
        test(`a stream that is cut, ${JSON.stringify(cut)}`, async () => {
          await upstream.says('one two three four', { cut });
          const errors = [];
          const stream = streamText({ ...ask, onError: ({ error }) => errors.push(error) });
          await stream.consumeStream();
          assert.equal(errors.length, 1);
        });
      }

      test('an error has a status, and words', async () => {
        await upstream.script('error', { status: 400 });
        await assert.rejects(generateText(ask), (error) => {
          assert.ok(APICallError.isInstance(error), String(error));
          assert.equal(error.statusCode, 400);
          assert.equal(error.isRetryable, false);
          assert.ok(error.message.length > 8 && !error.responseBody.includes('sk-upstream'), error.message);
          return true;
        });
      });

      test('an image and a document', async () => {
        const content = [
          { type: 'text', text: 'What is this?' },
          { type: 'image', image: PNG, mediaType: 'image/png' },
          { type: 'file', data: PDF, mediaType: 'application/pdf', filename: 'a.pdf' },
        ];
        await upstream.says('A pixel');
        const { prompt: _, ...rest } = ask;
        const { text } = await generateText({ ...rest, messages: [{ role: 'user', content }] });
        assert.equal(text, 'A pixel');
        const sent = JSON.stringify(await upstream.lastBody());
        assert.ok(sent.includes(PNG) && sent.includes(PDF), sent);
      });

      test('leaving a stream cancels it upstream', async () => {
        await upstream.script('endless', { every_ms: 5 });
        const controller = new AbortController();
        const stream = streamText({ ...ask, abortSignal: controller.signal, onError: () => {} });
        let deltas = 0;
        for await (const part of stream.fullStream) {
          if (part.type === 'text-delta' && ++deltas === 3) controller.abort();
        }
        const gone = async () => (await upstream.received()).at(-1).end === 'client_gone';
        await waitFor('the request upstream is cancelled', gone, 5);
      });
    });
  }
}
