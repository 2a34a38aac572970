// Errors of `openai`, before upstreams of every API (check N5 in `docs/CONFORMANCE.md` section 10): classes and codes,
// what the package tries again by itself, and streams that fail or break off.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import OpenAI from 'openai';
import { ANY_KEY, bench, collect, receivedFor } from './support/bench.mjs';
import { user } from './support/samples.mjs';

const { url, key, all } = await bench('openai-errors');
const settings = { baseURL: `${url}/v1`, maxRetries: 0, timeout: 20_000 };
const client = new OpenAI({ ...settings, apiKey: key });
// The groups of faults have upstream keys of their own, so that what a fault teaches the gateway does not matter to
// other tests.
const faulty = new OpenAI({ ...settings, apiKey: ANY_KEY });

/** The error in which `asked` ends. */
async function failure(asked) {
  try {
    await asked;
  } catch (error) {
    return error;
  }
  return assert.fail('it was to fail');
}

/** A client that counts what it sends, and the list to which its requests are added. */
function counting(options) {
  const sent = [];
  const fetching = (input, init) => {
    sent.push(new Headers(init.headers).get('x-stainless-retry-count'));
    return fetch(input, init);
  };
  return { counted: new OpenAI({ ...settings, apiKey: ANY_KEY, fetch: fetching, ...options }), sent };
}

/** Checks that an error has its words, and nothing of the upstream key. */
function wellSaid(error, upstream) {
  assert.ok(error.message && error.message.length > 8, error.message);
  const whole = JSON.stringify([error.message, error.error, [...(error.headers ?? [])]]);
  assert.ok(!whole.includes('sk-upstream'), whole);
  assert.ok(!whole.includes(upstream.key), whole);
}

// Each entry has the provider's answer, the class of the package, and the status that the client sees.
const STATUSES = [
  [400, OpenAI.BadRequestError, [400]],
  [401, OpenAI.InternalServerError, [502]],
  [403, OpenAI.InternalServerError, [502]],
  [404, OpenAI.NotFoundError, [404]],
  [409, OpenAI.ConflictError, [409]],
  [422, OpenAI.APIError, [400, 422]],
  [429, OpenAI.RateLimitError, [429]],
  [500, OpenAI.InternalServerError, [500, 502]],
  [503, OpenAI.InternalServerError, [503]],
];

for (const upstream of all) {
  const { api, model } = upstream;
  const ask = { model, messages: [user('Hello')] };

  describe(`upstream ${api}`, () => {
    for (const [status, expected, seen] of STATUSES) {
      for (const stream of [false, true]) {
        test(`status ${status}, stream ${stream}`, async () => {
          const name = `${api}/fake-error-${status}`;
          const error = await failure(faulty.chat.completions.create({ ...ask, model: name, stream }));
          assert.ok(error instanceof expected, `${error.constructor.name}: ${error.message}`);
          assert.ok(seen.includes(error.status), String(error.status));
          assert.ok(error.code === null || typeof error.code === 'string', String(error.code));
          assert.equal(typeof error.type, 'string');
          assert.ok(error.requestID);
          wellSaid(error, upstream);
          if (status === 401 || status === 403) assert.equal(error.code, 'upstream_authentication_failed');
        });
      }
    }

    test('a stream that fails after it began', async () => {
      await upstream.says('one two three four', { error_after_chunks: 2 });
      const stream = await client.chat.completions.create({ ...ask, stream: true });
      const chunks = [];
      const error = await failure(
        (async () => {
          for await (const chunk of stream) chunks.push(chunk);
        })(),
      );
      assert.ok(error instanceof OpenAI.APIError, String(error));
      assert.ok(chunks.length >= 1);
      assert.ok(chunks.every((chunk) => chunk.choices.every((choice) => choice.finish_reason === null)));
      wellSaid(error, upstream);
    });

    test('a stream whose first event is an error has a status', async () => {
      await upstream.says('one', { error_after_chunks: 0 });
      const error = await failure(
        client.chat.completions.create({ ...ask, stream: true }).then((stream) => collect(stream)),
      );
      assert.ok(error instanceof OpenAI.APIError, String(error));
      wellSaid(error, upstream);
    });

    for (const cut of [{ after_chunks: 2 }, { inside_chunk: 2 }]) {
      test(`a stream that is cut, ${JSON.stringify(cut)}`, async () => {
        await upstream.says('one two three four', { cut });
        const error = await failure(
          client.chat.completions.create({ ...ask, stream: true }).then((stream) => collect(stream)),
        );
        assert.ok(error instanceof OpenAI.APIError, String(error));
        wellSaid(error, upstream);

        await upstream.says('one two three four', { cut });
        const helped = await failure(client.chat.completions.stream(ask).finalChatCompletion());
        assert.ok(helped instanceof OpenAI.OpenAIError, String(helped));
      });
    }

    test('a fault of the operator is not tried again', async () => {
      const { counted, sent } = counting({ maxRetries: 2 });
      const error = await failure(counted.chat.completions.create({ ...ask, model: `${api}/fake-error-401` }));
      assert.equal(error.status, 502);
      assert.equal(error.headers.get('x-should-retry'), 'false');
      assert.deepEqual(sent, ['0']);
    });

    test('a fault of the client is not tried again', async () => {
      const { counted, sent } = counting({ maxRetries: 2 });
      await failure(counted.chat.completions.create({ ...ask, model: `${api}/fake-error-400` }));
      assert.deepEqual(sent, ['0']);
    });

    test('a fault of the provider is tried again', async () => {
      const { counted, sent } = counting({ maxRetries: 1 });
      await failure(counted.chat.completions.create({ ...ask, model: `${api}/fake-error-503` }));
      assert.deepEqual(sent, ['0', '1']);
    });

    test('what another API cannot say is refused by name', async () => {
      if (api === 'openai') return;
      const tool = { type: 'function', function: { name: 'weather' } };
      const choice = { type: 'function', function: { name: 'nobody' } };
      const error = await failure(client.chat.completions.create({ ...ask, tools: [tool], tool_choice: choice }));
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.equal(error.param, 'tool_choice');
    });
  });
}

test('a key that opens nothing', async () => {
  const stranger = new OpenAI({ ...settings, apiKey: 'sk-orch-nothing' });
  const error = await failure(stranger.models.list());
  assert.ok(error instanceof OpenAI.AuthenticationError);
  assert.equal(error.code, 'invalid_api_key');
});

test('a model that nobody serves', async () => {
  const error = await failure(client.chat.completions.create({ model: 'org/nothing', messages: [user('Hello')] }));
  assert.ok(error instanceof OpenAI.NotFoundError);
  assert.equal(error.code, 'model_not_found');
});

test('a group of another key is not served', async () => {
  const error = await failure(client.chat.completions.create({ model: 'fake-silent', messages: [user('Hello')] }));
  assert.ok(error instanceof OpenAI.NotFoundError);
});

test('a request that is too large', async () => {
  const error = await failure(client.chat.completions.create({ model: 'gpt-4o', messages: [user('x'.repeat(300_000))] }));
  assert.equal(error.status, 413);
  assert.equal(error.code, 'request_too_large');
});

test('a provider that is silent', async () => {
  const { counted, sent } = counting({ maxRetries: 2 });
  const before = (await receivedFor('fake-silent')).length;
  const error = await failure(counted.chat.completions.create({ model: 'fake-silent', messages: [user('Hello')] }));
  assert.equal(error.status, 504);
  assert.deepEqual(sent, ['0'], 'the provider may have done the work: it is not asked again');
  assert.equal((await receivedFor('fake-silent')).length - before, 1);
});

test('a provider that is not there', async () => {
  const error = await failure(faulty.chat.completions.create({ model: 'dead', messages: [user('Hello')] }));
  assert.equal(error.status, 502);
  assert.ok(error instanceof OpenAI.InternalServerError);
});
