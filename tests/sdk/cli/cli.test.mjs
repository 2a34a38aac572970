// Claude Code before groups that speak another API than Anthropic's, Gemini CLI before others than Google's, and Codex before others than OpenAI's: one
// question, and one round of a tool that writes a file. Run by `python3 tests/sdk/planes.py node --test tests/sdk/cli/cli.test.mjs`. All are the vendors' own programs, pinned in package.json; neither needs an account,
// since the gateway is all that they speak to.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';

const { GATEWAY_URL, GATEWAY_KEY, PROVIDER_URL, PATH } = process.env;
const root = mkdtempSync(join(tmpdir(), 'cli-'));
const bin = (name) => new URL(`node_modules/.bin/${name}`, import.meta.url).pathname;

after(() => rmSync(root, { recursive: true, force: true }));

async function control(method, path, body) {
  const options = { method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body) };
  const answer = await fetch(`${PROVIDER_URL}/_fake/${path}`, options);
  assert.ok(answer.ok, await answer.text());
}

beforeEach(() => control('DELETE', 'script'));

/** Runs a program to its end, in a folder of its own, and returns what it printed. */
function run(program, args, environment, folder) {
  return new Promise((resolve, reject) => {
    const env = { PATH, HOME: root, TERM: 'xterm', ...environment };
    const child = spawn(program, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 });
    let printed = '';
    child.stdout.on('data', (data) => (printed += data));
    child.stderr.on('data', (data) => (printed += data));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(printed) : reject(new Error(`${program} ended with ${code}: ${printed}`))));
  });
}

function claude(model, prompt, folder) {
  const environment = {
    ANTHROPIC_BASE_URL: GATEWAY_URL,
    ANTHROPIC_AUTH_TOKEN: GATEWAY_KEY,
    // Requests beside the conversation go to another model, so that scripts answer the conversation alone.
    ANTHROPIC_DEFAULT_HAIKU_MODEL: 'gpt-4o-mini',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_AUTOUPDATER: '1',
    DISABLE_TELEMETRY: '1',
    IS_SANDBOX: '1',
  };
  const args = ['-p', prompt, '--model', model, '--allowedTools', 'Bash', '--max-turns', '6'];
  return run(bin('claude'), args, environment, folder);
}

function gemini(model, prompt, folder) {
  mkdirSync(join(root, '.gemini'), { recursive: true });
  const settings = {
    security: { auth: { selectedType: 'gemini-api-key' } },
    privacy: { usageStatisticsEnabled: false },
    telemetry: { enabled: false },
    general: { disableAutoUpdate: true },
  };
  writeFileSync(join(root, '.gemini', 'settings.json'), JSON.stringify(settings));
  const environment = { GEMINI_API_KEY: GATEWAY_KEY, GOOGLE_GEMINI_BASE_URL: GATEWAY_URL };
  return run(bin('gemini'), ['-p', prompt, '-m', model, '--skip-trust', '--yolo'], environment, folder);
}

// The settings of the README's row, on a fresh home.
function codex(model, prompt, folder) {
  const home = join(root, '.codex');
  mkdirSync(home, { recursive: true });
  const settings = `model_provider = "gateway"\n[model_providers.gateway]\nname = "gateway"\nbase_url = "${GATEWAY_URL}/v1"\nenv_key = "GATEWAY_KEY"\n`;
  writeFileSync(join(home, 'config.toml'), settings);
  const args = ['exec', '--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox', '-m', model, prompt];
  return run(bin('codex'), args, { GATEWAY_KEY }, folder);
}

const AGENTS = [
  { name: 'Claude Code', ask: claude, tool: 'Bash', models: ['claude-sonnet-4-5', 'gpt-4o', 'gpt-4.1', 'gemini-2.5-flash', 'gemini-3-flash-preview'] },
  { name: 'Codex', ask: codex, tool: 'exec_command', command: 'cmd', models: ['gpt-4.1', 'gpt-4o', 'claude-sonnet-4-5', 'gemini-2.5-flash', 'gemini-3-flash-preview'] },
  { name: 'Gemini CLI', ask: gemini, tool: 'run_shell_command', models: ['gemini-2.5-flash', 'claude-sonnet-4-5', 'gpt-4o', 'gpt-4.1'] },
];

for (const agent of AGENTS) {
  describe(agent.name, () => {
    for (const model of agent.models) {
      it(`answers by ${model}`, async () => {
        const folder = mkdtempSync(join(root, 'work-'));
        await control('POST', 'script', { target: { model }, apply: 'always', kind: 'saying', values: { text: 'The answer is four.' } });
        assert.match(await agent.ask(model, 'What is two and two?', folder), /The answer is four\./);
      });

      it(`runs a tool that ${model} calls`, async () => {
        const folder = mkdtempSync(join(root, 'work-'));
        const command = 'touch made-by-the-agent';
        const args = agent.command ? { [agent.command]: command } : { command, description: 'Makes a file' };
        const call = { name: agent.tool, arguments: args };
        // This answers the next request only. The request after the tool's result gets a plain answer.
        await control('POST', 'script', { target: { model }, apply: 'once', kind: 'tool_calls', values: { calls: [call] } });
        await agent.ask(model, 'Make a file', folder);
        assert.ok(existsSync(join(folder, 'made-by-the-agent')));
      });
    }
  });
}
