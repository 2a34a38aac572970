// Tools of the Vercel AI SDK: rounds until the model stops, by five providers, each before upstreams of every API
// (checks V2, V4 and V5 in `docs/CONFORMANCE.md` section 10). The Responses provider refers to its own earlier output
// by its id, unless it is told `store: false`.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { generateText, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';
import { bench, collect } from './support/bench.mjs';
import { providers } from './support/vercel.mjs';

const gateway = await bench('ai-tools');

/** Tools that add their arguments to `seen`. */
function tools(seen) {
  return {
    weather: tool({
      description: 'Weather of a city',
      inputSchema: z.object({ city: z.string(), unit: z.enum(['c', 'f']).optional() }),
      execute: (input) => {
        seen.push(['weather', input]);
        return { degrees: 21 };
      },
    }),
    now: tool({
      inputSchema: z.object({}),
      execute: (input) => {
        seen.push(['now', input]);
        return '10:00';
      },
    }),
  };
}

/** The calls of three rounds, in their order. */
const ROUNDS = [
  [['now', {}]],
  [
    ['weather', { city: 'Paris' }],
    ['weather', { city: 'Rome' }],
  ],
  [['weather', { city: 'Oslo' }]],
];

async function threeRounds(upstream, thinking) {
  for (const [index, calls] of ROUNDS.entries()) {
    const tool_calls = calls.map(([name, args]) => ({ name, arguments: JSON.stringify(args) }));
    await upstream.script('tool_calls', { calls: tool_calls, ...(thinking && { thinking: `Round ${index}.` }) });
  }
  await upstream.says('Warm at ten.');
}

for (const { name, of, always, thinking } of providers(gateway)) {
  for (const upstream of gateway.all) {
    const { model, thinker } = upstream;

    describe(`${name} before ${upstream.api}`, () => {
      for (const [thinks, named, providerOptions] of [
        [false, model, always],
        [true, thinker, thinking],
      ]) {
        const ask = {
          model: of(named),
          prompt: 'When and how warm?',
          maxOutputTokens: 4096,
          maxRetries: 0,
          providerOptions,
          stopWhen: stepCountIs(5),
        };

        test(`generateText goes round three times, thinking ${thinks}`, async () => {
          await threeRounds(upstream, thinks);
          const seen = [];
          const before = (await upstream.received()).length;
          const { text, finishReason, steps } = await generateText({ ...ask, tools: tools(seen) });
          assert.equal(text, 'Warm at ten.');
          assert.equal(finishReason, 'stop');
          assert.deepEqual(seen, ROUNDS.flat());
          assert.deepEqual(steps.map((step) => step.finishReason), ['tool-calls', 'tool-calls', 'tool-calls', 'stop']);
          assert.equal((await upstream.received()).length - before, 4);
        });

        test(`streamText goes round three times, thinking ${thinks}`, async () => {
          await threeRounds(upstream, thinks);
          const seen = [];
          const stream = streamText({ ...ask, tools: tools(seen), onError: () => {} });
          const parts = await collect(stream.fullStream);
          assert.deepEqual(parts.filter(({ type }) => type === 'error').map(({ error }) => error), []);
          assert.equal(await stream.text, 'Warm at ten.');
          assert.deepEqual(seen, ROUNDS.flat());
          const reasons = (await stream.steps).map((step) => step.finishReason);
          assert.deepEqual(reasons, ['tool-calls', 'tool-calls', 'tool-calls', 'stop']);
        });
      }

      test('a conversation goes on after its answers', async () => {
        const messages = [{ role: 'user', content: 'Hello' }];
        const ask = { model: of(model), maxOutputTokens: 4096, maxRetries: 0, providerOptions: always };
        for (const said of ['One.', 'Two.']) {
          await upstream.says(said);
          const { text, response } = await generateText({ ...ask, messages });
          assert.equal(text, said);
          messages.push(...response.messages, { role: 'user', content: 'And then?' });
        }
        await upstream.says('Three.');
        await generateText({ ...ask, messages });
        const sent = JSON.stringify(await upstream.lastBody());
        // An upstream of the same API has kept the output to which the request refers.
        assert.ok((sent.includes('One.') && sent.includes('Two.')) || sent.includes('item_reference'), sent);
      });

      for (const toolChoice of ['required', 'none', { type: 'tool', toolName: 'now' }]) {
        test(`tool choice ${JSON.stringify(toolChoice)}`, async () => {
          const ask = { model: of(model), prompt: 'When?', maxOutputTokens: 4096, maxRetries: 0, providerOptions: always };
          const { toolCalls, finishReason } = await generateText({ ...ask, tools: tools([]), toolChoice });
          const names = toolCalls.map(({ toolName }) => toolName);
          assert.deepEqual(names, toolChoice === 'none' ? [] : [toolChoice === 'required' ? 'weather' : 'now']);
          assert.equal(finishReason, toolChoice === 'none' ? 'stop' : 'tool-calls');
        });
      }
    });
  }
}
