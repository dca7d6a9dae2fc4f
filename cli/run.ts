/** One run of the CLI, from arguments to exit code: reads, calls the command, prints what it comes to. */
import { statSync } from 'node:fs';
import path from 'node:path';
import { type ErrorBody, exitCodeOf, exitCodes, SphereError } from '../contract/errors.ts';
import { version } from '../contract/version.ts';
import { fileError, withFile } from '../files/file-error.ts';
import type { Context, Result } from './command.ts';
import { readEnvironment } from './config.ts';
import { listenForInterrupt } from './interrupt.ts';
import type { Output } from './output.ts';
import { type CommonOptions, type Invocation, parseArguments } from './program.ts';

/** Runs `argv` and ends through `exit`, which does not return. */
export async function run(
  argv: readonly string[],
  io: NodeJS.Process,
  exit: (code: number) => never,
): Promise<void> {
  const help: string[] = [];
  let invocation: Invocation | null;
  try {
    invocation = await parseArguments(argv, (text) => help.push(text));
  } catch (error) {
    const output = await openOutput(io, {
      json: argv.includes('--json'),
      color: !argv.includes('--no-color'),
    });
    return exit(await fail(error, output, argv.includes('--debug')));
  }
  if (invocation === null) {
    io.stdout.on('error', () => exit(exitCodes.done));
    io.stdout.write(help.join(''), () => exit(exitCodes.done));
    return;
  }
  exit(await runCommand(invocation, io, exit));
}

async function runCommand(
  { run: command, args, options }: Invocation,
  io: NodeJS.Process,
  exit: (code: number) => never,
): Promise<number> {
  const { json = false, color } = options;
  const output = await openOutput(io, { json, color });
  try {
    const context = await createContext(options, output, io, exit);
    const result = await command(context, args, options as never);
    if (result) await output.result(resultText(result, output));
    await output.close();
    return result?.failed ? exitCodes.failure : exitCodes.done;
  } catch (error) {
    return fail(error, output, options.debug === true);
  }
}

async function openOutput(io: NodeJS.Process, options: { json: boolean; color: boolean }): Promise<Output> {
  const { colour, ci, ciRun } = readEnvironment(io.env, '/');
  const shows = (stream: NodeJS.WriteStream) =>
    options.color && (colour === 'always' || (colour === 'auto' && stream.isTTY === true));
  const { createOutput } = await import('./output.ts');
  const chalk = shows(io.stderr) ? new (await import('chalk')).Chalk({ level: 1 }) : null;
  const { stdout, stderr } = io;
  return createOutput({
    stdout,
    stderr,
    json: options.json,
    chalk,
    resultColours: shows(stdout),
    ci,
    service: ciRun?.service ?? null,
  });
}

async function createContext(
  options: CommonOptions,
  output: Output,
  io: NodeJS.Process,
  exit: (code: number) => never,
): Promise<Context> {
  const directory = path.resolve(io.cwd(), options.cwd ?? '.');
  const found = withFile({ what: `--cwd: ${directory}`, done: 'entered' }, () =>
    statSync(directory, { throwIfNoEntry: false }),
  );
  if (!found?.isDirectory()) {
    throw new SphereError('USAGE', `--cwd: ${directory} is not a directory.`, {
      hint: 'Name a directory that is there.',
    });
  }
  const environment = readEnvironment(io.env, directory);
  const yes = options.yes === true;
  const asks =
    io.stdin.isTTY === true &&
    io.stderr.isTTY === true &&
    !environment.ci &&
    !yes &&
    options.json !== true &&
    options.nonInteractive !== true;
  const prompts = asks ? (await import('./prompts.ts')).createPrompts(io.stderr) : null;
  const interrupt = listenForInterrupt(() => {
    output.idle();
    exit(exitCodes.interrupted);
  });
  const flags = { local: options.local === true, token: options.token };
  const piped: Context['piped'] = async (limits) => (await import('./stdin.ts')).readPiped(io.stdin, limits);
  return { environment, directory, output, prompts, yes, interrupt, flags, piped };
}

function resultText(result: Result, output: Output): string {
  if (output.json) return `${JSON.stringify(result.json, null, output.resultSeen ? 2 : 0)}\n`;
  return result.text === null ? '' : `${result.text}\n`;
}

/** Reports what was thrown and returns the exit code. */
async function fail(error: unknown, output: Output, debug: boolean): Promise<number> {
  const known = error instanceof SphereError ? error : fileError(error);
  const body = known?.toBody() ?? bugReport(error);
  output.error(body);
  if (debug && error instanceof Error) output.note(stackOf(error));
  if (output.json) {
    const deployment =
      error instanceof SphereError && 'deployment' in error ? { deployment: error.deployment } : {};
    await output.result(`${JSON.stringify({ error: body, ...deployment })}\n`);
  }
  await output.close();
  return exitCodeOf(body.code);
}

function bugReport(error: unknown): ErrorBody {
  const seen = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return {
    code: 'INTERNAL',
    message: `This is a bug in Sphere: ${seen}`,
    hint: 'Run the command again with --debug and report what it prints, with the line above, where you got Sphere from.',
    details: [`sphere ${version}, node ${process.version}, ${process.platform} ${process.arch}`],
  };
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\nCaused by: ${stackOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}
