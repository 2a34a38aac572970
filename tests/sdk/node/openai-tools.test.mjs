// Tools with `openai`, before upstreams of every API: `runTools` (check N3 in `docs/CONFORMANCE.md` section 10), and
// the loop by hand with the message appended as it came.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import OpenAI from 'openai';
import { zodFunction } from 'openai/helpers/zod';
import { z } from 'zod';
import { bench } from './support/bench.mjs';
import { CITY, user } from './support/samples.mjs';

const { url, key, all } = await bench('openai-tools');
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0, timeout: 20_000 });

/** A tool without parameters and one with parameters. They add their arguments to `seen`. */
function runnable(seen) {
  const called = (name, answer) => (args) => {
    seen.push([name, args]);
    return answer;
  };
  return [
    { type: 'function', function: { name: 'now', parameters: {}, parse: JSON.parse, function: called('now', '10:00') } },
    {
      type: 'function',
      function: { name: 'weather', parameters: CITY, parse: JSON.parse, function: called('weather', '21 degrees') },
    },
  ];
}

const WEATHER = { type: 'function', function: { name: 'weather', parameters: CITY } };
const PLAIN = { type: 'function', function: { name: 'now' } };

for (const upstream of all) {
  const { api, model, thinker } = upstream;

  describe(`upstream ${api}`, () => {
    for (const stream of [false, true]) {
      for (const asked of [model, thinker]) {
        test(`runTools goes round three times, stream ${stream}, ${asked}`, async () => {
          await upstream.calls(['now', '{}']);
          await upstream.calls(['weather', '{"city":"Paris"}'], ['weather', '{"city":"Rome"}']);
          await upstream.says('Warm at ten.');
          const seen = [];
          const before = (await upstream.received()).length;
          const runner = client.chat.completions.runTools({
            model: asked,
            stream,
            messages: [user('When and how warm?')],
            tools: runnable(seen),
          });
          const texts = [];
          runner.on('message', (message) => {
            for (const call of message.tool_calls ?? []) texts.push(call.function.arguments);
          });
          assert.equal(await runner.finalContent(), 'Warm at ten.');
          assert.deepEqual(texts, ['{}', '{"city":"Paris"}', '{"city":"Rome"}']);
          assert.deepEqual(seen, [['now', {}], ['weather', { city: 'Paris' }], ['weather', { city: 'Rome' }]]);
          const sent = (await upstream.received()).slice(before);
          assert.equal(sent.length, 3);
          const last = JSON.stringify(sent[2].body);
          assert.ok(last.includes('10:00') && last.includes('21 degrees'), last);
        });
      }

      test(`a call without arguments has an empty object, stream ${stream}`, async () => {
        await upstream.calls(['now', '{}']);
        const body = { model, messages: [user('When?')], tools: [PLAIN] };
        const answer = stream
          ? await client.chat.completions.stream(body).finalChatCompletion()
          : await client.chat.completions.create(body);
        const [call] = answer.choices[0].message.tool_calls;
        assert.equal(call.function.arguments, '{}');
        assert.equal(answer.choices[0].finish_reason, 'tool_calls');
      });

      test(`three rounds with the message appended, stream ${stream}`, async () => {
        const messages = [user('How warm?')];
        const ids = new Set();
        for (const city of ['Paris', 'Rome', 'Oslo']) {
          await upstream.script('thinking', {
            text: `About ${city}.`,
            tool_calls: [
              { name: 'weather', arguments: JSON.stringify({ city }) },
              { name: 'now', arguments: '{}' },
            ],
          });
          const body = { model: thinker, messages, tools: [WEATHER, PLAIN], reasoning_effort: 'high' };
          const answer = stream
            ? await client.chat.completions.stream(body).finalChatCompletion()
            : await client.chat.completions.create(body);
          const { message } = answer.choices[0];
          messages.push(message);
          assert.equal(message.tool_calls.length, 2);
          assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), { city });
          for (const { id } of message.tool_calls) {
            assert.ok(id.length <= 40, id);
            ids.add(id);
            messages.push({ role: 'tool', tool_call_id: id, content: `20 degrees in ${city}` });
          }
        }
        assert.equal(ids.size, 6);
        await upstream.says('Done.');
        const answer = await client.chat.completions.create({ model: thinker, messages, tools: [WEATHER, PLAIN] });
        assert.equal(answer.choices[0].message.content, 'Done.');
      });
    }

    test('strict tools of the package: optional, nested, enumerated', async () => {
      const parameters = z.object({
        place: z.object({ city: z.string(), land: z.string().nullable() }),
        unit: z.enum(['c', 'f']),
        days: z.array(z.int()).nullable(),
      });
      const tool = zodFunction({ name: 'forecast', parameters });
      const answer = await client.chat.completions.parse({ model, messages: [user('How warm?')], tools: [tool] });
      const [call] = answer.choices[0].message.tool_calls;
      assert.equal(call.function.name, 'forecast');
      assert.ok(parameters.safeParse(call.function.parsed_arguments).success, call.function.arguments);
    });

    for (const choice of ['required', 'none', { type: 'function', function: { name: 'now' } }]) {
      test(`tool choice ${JSON.stringify(choice)}`, async () => {
        const body = { model, messages: [user('When?')], tools: [WEATHER, PLAIN], tool_choice: choice };
        const answer = await client.chat.completions.create(body);
        const names = (answer.choices[0].message.tool_calls ?? []).map((call) => call.function.name);
        const expected = choice === 'none' ? [] : [choice === 'required' ? 'weather' : 'now'];
        assert.deepEqual(names, expected);
        assert.equal(answer.choices[0].finish_reason, choice === 'none' ? 'stop' : 'tool_calls');
      });
    }

    test('names that only some vendors take come back as they were', async () => {
      const name = 'mcp__files__read-file';
      await upstream.says('ok');
      const tool = { type: 'function', function: { name, parameters: CITY } };
      await client.chat.completions.create({ model, messages: [user('Read')], tools: [tool] });
      assert.ok(JSON.stringify(await upstream.lastBody()).includes(name));
    });
  });
}
