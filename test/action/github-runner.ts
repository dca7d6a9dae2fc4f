/** What GitHub's runner does with a composite action: expressions, scripts in bash, and the files that steps write to. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';

type Step = { id?: string; if?: string; shell?: string; env?: Record<string, string>; run: string };
type Action = {
  inputs: Record<string, { default?: string; required?: boolean }>;
  outputs: Record<string, { value: string }>;
  runs: { using: string; steps: Step[] };
};

export type ActionRun = {
  outputs: Record<string, string>;
  /** The exit code of the step that failed, or 0. */
  code: number;
  log: string;
  stdout: string;
  summary: string;
};

/** The outputs in a file of GITHUB_OUTPUT, later ones over earlier ones. */
export function githubOutputs(text: string): Record<string, string> {
  const outputs: Record<string, string> = {};
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] as string;
    const [, name, end] = /^([^=]+?)<<(.+)$/.exec(line) ?? [];
    if (name !== undefined) {
      const to = lines.indexOf(end as string, at + 1);
      outputs[name] = lines.slice(at + 1, to).join('\n');
      at = to;
    } else if (line.includes('=')) {
      outputs[line.slice(0, line.indexOf('='))] = line.slice(line.indexOf('=') + 1);
    }
  }
  return outputs;
}

/** Runs the action in `file` as a step of a job that has `environment` and is in `workspace`. */
export async function runAction(options: {
  file: string;
  actionPath: string;
  workspace: string;
  inputs: Record<string, string>;
  environment: Record<string, string>;
}): Promise<ActionRun> {
  const action = parse(readFileSync(options.file, 'utf8')) as Action;
  const runner = mkdtempSync(join(tmpdir(), 'github-runner-'));
  const inputs = Object.fromEntries(
    Object.entries(action.inputs).map(([name, { default: value = '' }]) => [
      name,
      options.inputs[name] ?? value,
    ]),
  );
  for (const name of Object.keys(options.inputs)) {
    if (!(name in action.inputs)) throw new Error(`the action has no input ${name}`);
  }
  const steps: Record<string, Record<string, string>> = {};
  const evaluate = (text: string) =>
    text.replace(/\$\{\{\s*([\w.-]+)\s*\}\}/g, (_, expression: string) => {
      const parts = expression.split('.');
      if (parts[0] === 'inputs') return inputs[parts[1] as string] ?? '';
      if (parts[0] === 'steps') return steps[parts[1] as string]?.[parts[3] as string] ?? '';
      if (expression === 'github.action_path') return options.actionPath;
      if (expression === 'github.workspace') return options.workspace;
      throw new Error(`the runner of the tests knows no ${expression}`);
    });
  const seen = { log: '', stdout: '', code: 0 };
  const files = { output: join(runner, 'output'), summary: join(runner, 'summary') };
  writeFileSync(files.summary, '');
  for (const [index, step] of action.runs.steps.entries()) {
    if (step.shell !== 'bash') throw new Error('a composite step must name its shell');
    // An expression inside a script is how inputs become code.
    if (step.run.includes('${{')) throw new Error(`step ${index} has an expression in its script`);
    const script = join(runner, `step-${index}.sh`);
    writeFileSync(script, step.run);
    writeFileSync(files.output, '');
    const ended = await runScript(script, options.workspace, {
      ...options.environment,
      GITHUB_ACTIONS: 'true',
      CI: 'true',
      GITHUB_WORKSPACE: options.workspace,
      GITHUB_ACTION_PATH: options.actionPath,
      GITHUB_OUTPUT: files.output,
      GITHUB_STEP_SUMMARY: files.summary,
      RUNNER_TEMP: runner,
      ...Object.fromEntries(Object.entries(step.env ?? {}).map(([name, value]) => [name, evaluate(value)])),
    });
    seen.log += ended.log;
    seen.stdout += ended.stdout;
    if (step.id !== undefined) steps[step.id] = githubOutputs(readFileSync(files.output, 'utf8'));
    if (ended.code !== 0) {
      seen.code = ended.code;
      break;
    }
  }
  const summary = readFileSync(files.summary, 'utf8');
  rmSync(runner, { recursive: true, force: true });
  const outputs = Object.fromEntries(
    Object.entries(action.outputs).map(([name, { value }]) => [name, evaluate(value)]),
  );
  return { ...seen, outputs, summary };
}

/** As the runner starts the shell `bash`. */
function runScript(script: string, cwd: string, env: Record<string, string>) {
  return new Promise<{ code: number; log: string; stdout: string }>((resolve, reject) => {
    const child = spawn('bash', ['--noprofile', '--norc', '-eo', 'pipefail', script], {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const seen = { log: '', stdout: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      seen.log += text;
      seen.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      seen.log += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, ...seen }));
  });
}
