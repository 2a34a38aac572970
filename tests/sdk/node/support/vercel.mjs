// The providers of the Vercel AI SDK, all with the gateway as their base URL.
import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';

/**
 * Every provider: its name, the model of a name, and what it is told to think. The Responses provider stands here twice, as it comes, when it refers to
 * what the server has kept of earlier answers, and with `store: false`, when it sends everything.
 */
export function providers({ url, key: apiKey }) {
  const openai = createOpenAI({ baseURL: `${url}/v1`, apiKey });
  const compatible = createOpenAICompatible({
    name: 'gateway',
    baseURL: `${url}/v1`,
    apiKey,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
  const anthropic = createAnthropic({ baseURL: `${url}/v1`, apiKey });
  const google = createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey });
  const summarised = { reasoningEffort: 'high', reasoningSummary: 'auto' };
  return [
    { name: 'openai.chat', of: (model) => openai.chat(model), thinking: {}, thoughtless: true },
    { name: 'openai.responses', of: (model) => openai(model), thinking: { openai: summarised } },
    {
      name: 'openai.responses without store',
      of: (model) => openai(model),
      always: { openai: { store: false } },
      thinking: { openai: { ...summarised, store: false, include: ['reasoning.encrypted_content'] } },
    },
    { name: 'openai-compatible', of: (model) => compatible(model), thinking: { gateway: { reasoningEffort: 'high' } } },
    {
      name: 'anthropic',
      of: (model) => anthropic(model),
      thinking: { anthropic: { thinking: { type: 'enabled', budgetTokens: 2048 } } },
    },
    {
      name: 'google',
      of: (model) => google(model),
      thinking: { google: { thinkingConfig: { thinkingLevel: 'high', includeThoughts: true } } },
    },
  ];
}
