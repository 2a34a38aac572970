// Objects of the Vercel AI SDK: `generateObject`, `streamObject` and `Output.object`, with and without a schema, and
// together with tools, by five providers before upstreams of every API (check V3 in `docs/CONFORMANCE.md` section 10).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { Output, generateObject, generateText, stepCountIs, streamObject, streamText, tool } from 'ai';
import { z } from 'zod';
import { bench } from './support/bench.mjs';
import { providers } from './support/vercel.mjs';

const gateway = await bench('ai-objects');

const City = z.object({
  name: z.string(),
  size: z.enum(['small', 'large']),
  mayor: z.object({ name: z.string(), since: z.int() }).nullable(),
  twins: z.array(z.object({ name: z.string() })),
});

const weather = tool({ inputSchema: z.object({ city: z.string() }), execute: () => '21 degrees' });

// The mode of providers that do not know what their server can do: JSON, with the schema in words.
const unstructured = createOpenAICompatible({ name: 'gateway', baseURL: `${gateway.url}/v1`, apiKey: gateway.key });
const all = [
  ...providers(gateway),
  { name: 'openai-compatible without schemas', of: (model) => unstructured(model), inWords: true },
];

const PARIS = { name: 'Paris', size: 'large', mayor: { name: 'Anne', since: 2014 }, twins: [{ name: 'Rome' }] };

// The last one knows no schemas. The object comes through a tool, which the provider of the same API makes itself, and
// for the others the gateway makes.
const targets = gateway.all.map((upstream) => ({ upstream, model: upstream.model }));
targets.push({ upstream: gateway.upstreams.anthropic, model: 'claude-3-5-haiku', byTool: true });

for (const { name, of, always: providerOptions, inWords } of all) {
  for (const { upstream, model, byTool } of targets) {
    const ask = { model: of(model), prompt: 'About Paris, in JSON', maxOutputTokens: 4096, maxRetries: 0, providerOptions };
    const says = () => upstream.says(JSON.stringify(PARIS));
    const calls = () => upstream.calls([name === 'anthropic' ? 'json' : 'json_output', JSON.stringify(PARIS)]);

    describe(`${name} before ${model}`, () => {
      test('generateObject', async () => {
        if (inWords) await says();
        const { object, finishReason, usage } = await generateObject({ ...ask, schema: City });
        assert.ok(City.safeParse(object).success, JSON.stringify(object));
        if (inWords) assert.deepEqual(object, PARIS);
        assert.equal(finishReason, 'stop');
        assert.ok(usage.totalTokens > 0);
      });

      test('streamObject', async () => {
        if (inWords) await says();
        const errors = [];
        const stream = streamObject({ ...ask, schema: City, onError: ({ error }) => errors.push(error) });
        let partials = 0;
        for await (const partial of stream.partialObjectStream) partials += partial ? 1 : 0;
        assert.deepEqual(errors, []);
        assert.ok(partials >= 1);
        assert.ok(City.safeParse(await stream.object).success);
        assert.equal(await stream.finishReason, 'stop');
      });

      test('generateObject without a schema', async () => {
        await says();
        const { object, finishReason } = await generateObject({ ...ask, output: 'no-schema' });
        assert.deepEqual(object, PARIS);
        assert.equal(finishReason, 'stop');
      });

      test('a list, and one of several words', async () => {
        if (inWords) await upstream.says('{"elements":[]}');
        const { object: list } = await generateObject({ ...ask, output: 'array', schema: z.object({ name: z.string() }) });
        assert.ok(Array.isArray(list));
        if (inWords) await upstream.says('{"result":"warm"}');
        const { object: word } = await generateObject({ ...ask, output: 'enum', enum: ['warm', 'cold'] });
        assert.equal(word, 'warm');
      });

      test('Output.object', async () => {
        if (inWords) await says();
        const { output, finishReason } = await generateText({ ...ask, output: Output.object({ schema: City }) });
        assert.ok(City.safeParse(output).success, JSON.stringify(output));
        assert.equal(finishReason, 'stop');

        if (inWords) await says();
        const stream = streamText({ ...ask, output: Output.object({ schema: City }), onError: () => {} });
        for await (const partial of stream.partialOutputStream) assert.ok(partial);
        assert.ok(City.safeParse(await stream.output).success);
        assert.equal(await stream.finishReason, 'stop');
      });

      test('Output.object after a tool', async () => {
        await upstream.calls(['weather', '{"city":"Paris"}']);
        await (byTool && !inWords ? calls() : says());
        const { output, steps } = await generateText({
          ...ask,
          tools: { weather },
          stopWhen: stepCountIs(3),
          output: Output.object({ schema: City }),
        });
        assert.equal(steps.length, 2);
        assert.deepEqual(output, PARIS);
      });
    });
  }
}
