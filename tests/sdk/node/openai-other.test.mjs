// Embeddings and models of `openai`, and `embedMany` of the Vercel AI SDK (checks N4 and V7 in `docs/CONFORMANCE.md`
// section 10).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { embed, embedMany } from 'ai';
import OpenAI from 'openai';
import { ANY_KEY, bench } from './support/bench.mjs';

const { url, key, upstreams } = await bench('openai-other');
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0, timeout: 20_000 });

const EMBEDDERS = [
  [upstreams.openai, 'text-embedding-3-small', 1536],
  [upstreams.gemini, 'gemini-embedding-001', 3072],
];

/** Checks that vectors are equal as floats of 32 bits. */
function equal(one, other) {
  assert.equal(one.length, other.length);
  for (const [index, value] of one.entries()) assert.ok(Math.abs(value - other[index]) < 1e-6, `${index}`);
}

const close = (client, options) => client.embeddings.create(options).then(({ data }) => data.map((one) => one.embedding));

for (const [{ api }, model, dimensions] of EMBEDDERS) {
  describe(`embeddings of upstream ${api}`, () => {
    test('the package asks for base64, and gets numbers', async () => {
      const answer = await client.embeddings.create({ model, input: 'Paris' });
      assert.equal(answer.object, 'list');
      assert.equal(answer.model, model);
      const [{ embedding, index, object }] = answer.data;
      assert.deepEqual([index, object, embedding.length], [0, 'embedding', dimensions]);
      assert.ok(embedding.every(Number.isFinite) && embedding.some((value) => value !== 0));
      assert.ok(Number.isInteger(answer.usage.prompt_tokens) && Number.isInteger(answer.usage.total_tokens));
      const [floats] = await close(client, { model, input: 'Paris', encoding_format: 'float' });
      equal(embedding, floats);
    });

    test('many, in their order, of fewer dimensions', async () => {
      const input = ['Paris', 'Rome', 'Oslo'];
      const together = await close(client, { model, input, dimensions: 256 });
      assert.equal(together.length, 3);
      for (const [index, text] of input.entries()) {
        const [alone] = await close(client, { model, input: text, dimensions: 256 });
        assert.equal(alone.length, 256);
        equal(together[index], alone);
      }
    });

    test('nothing to embed', async () => {
      await assert.rejects(client.embeddings.create({ model, input: [] }), OpenAI.BadRequestError);
    });

    test('embed and embedMany by three providers', async () => {
      const openai = createOpenAI({ baseURL: `${url}/v1`, apiKey: key });
      const compatible = createOpenAICompatible({ name: 'gateway', baseURL: `${url}/v1`, apiKey: key });
      const google = createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey: key });
      const values = Array.from({ length: 120 }, (_, index) => `word ${index}`);
      const expected = await close(client, { model, input: values, encoding_format: 'float' });
      const models = [openai.textEmbeddingModel(model), compatible.textEmbeddingModel(model)];
      if (api === 'gemini') models.push(google.textEmbeddingModel(model));
      for (const asked of models) {
        const { embeddings } = await embedMany({ model: asked, values, maxRetries: 0 });
        assert.equal(embeddings.length, values.length);
        for (const [index, embedding] of embeddings.entries()) equal(embedding, expected[index]);
        const { embedding } = await embed({ model: asked, value: values[7], maxRetries: 0 });
        equal(embedding, expected[7]);
      }
    });
  });
}

test('token ids are for OpenAI alone', async () => {
  const input = [[1, 2, 3], [4, 5]];
  const vectors = await close(client, { model: 'text-embedding-3-small', input });
  assert.equal(vectors.length, 2);
  await assert.rejects(client.embeddings.create({ model: 'gemini-embedding-001', input }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError, String(error));
    assert.match(error.message, /token/);
    return true;
  });
});

test('what embeds nothing says so', async () => {
  const asked = client.embeddings.create({ model: 'claude-sonnet-4-5', input: 'Paris' });
  await assert.rejects(asked, (error) => error instanceof OpenAI.APIError && error.status < 500 && error.message.length > 8);
});

test('the models', async () => {
  const ids = [];
  for await (const model of client.models.list()) {
    assert.ok(model.object === 'model' && model.owned_by && Number.isInteger(model.created), JSON.stringify(model));
    ids.push(model.id);
  }
  for (const id of ['gpt-4o', 'gpt-4.1', 'claude-sonnet-4-5', 'gemini-2.5-flash']) assert.ok(ids.includes(id), id);
  assert.ok(!ids.includes('fake-silent'), 'a group of another key');
  assert.equal((await client.models.retrieve('gpt-4o')).id, 'gpt-4o');
  await assert.rejects(client.models.retrieve('nothing'), OpenAI.NotFoundError);
});

test('a model with a slash in its name', async () => {
  const any = new OpenAI({ baseURL: `${url}/v1`, apiKey: ANY_KEY, maxRetries: 0 });
  const id = 'anthropic/fake-cut';
  assert.equal((await any.models.retrieve(id)).id, id);
  const headers = { authorization: `Bearer ${ANY_KEY}` };
  assert.equal((await (await fetch(`${url}/v1/models/${id}`, { headers })).json()).id, id);
});
