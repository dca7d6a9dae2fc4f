/** The command line: which command was meant, with what, and how it ends. */
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { Command, CommanderError, Help } from 'commander';
import { closest, distance } from 'fastest-levenshtein';
import { cliEnvironment } from '../contract/environment.ts';
import { exitCodeMeanings, SphereError } from '../contract/errors.ts';
import { version } from '../contract/version.ts';
import type { CommandFile, Example, Run } from './command.ts';
import { commands } from './command-list.ts';

export type CommonOptions = {
  json?: true;
  yes?: true;
  cwd?: string;
  local?: true;
  token?: string;
  nonInteractive?: true;
  debug?: true;
  color: boolean;
};

/** What the arguments ask for. `null` when they asked for help, which has been written. */
export type Invocation = { name: string; run: Run; args: string[]; options: CommonOptions & object };

/** Reads the arguments. `write` gets help texts. Throws `USAGE` with the nearest right word. */
export async function parseArguments(
  argv: readonly string[],
  write: (text: string) => void,
): Promise<Invocation | null> {
  const chosen: { invocation: Invocation | null } = { invocation: null };
  const program = createProgram();
  program.configureOutput({ writeOut: write, writeErr: () => {} });
  for (const entry of commands) {
    const command = program.command(entry.name).summary(entry.summary).helpGroup(entry.group);
    command.description(`${entry.summary.charAt(0).toUpperCase()}${entry.summary.slice(1)}.`);
    // Only what the arguments name is loaded: a word too many costs a file, never a wrong command.
    if (argv.includes(entry.name)) {
      fill(command, entry.name, (await entry.load()).command, (invocation) => {
        chosen.invocation = invocation;
      });
    }
  }
  if (argv.length === 0) {
    program.outputHelp();
    return null;
  }
  try {
    await program.parseAsync(argv[0] === 'help' ? [...argv.slice(1), '--help'] : [...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return null;
    throw await usageError(error, argv);
  }
  return chosen.invocation;
}

/** The program with its common flags, and no command yet. */
export function createProgram(): Command {
  return new Command('sphere')
    .description(`Deploy a frontend as a static site with one command.${examplesText(examples)}`)
    .usage('<command> [options]')
    .version(version, '-v, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .option('--json', 'print the result as one JSON object')
    .option('-y, --yes', 'answer every question with yes')
    .option('-C, --cwd <dir>', 'run as if started in this directory')
    .option('--local', 'use the control plane on this machine')
    .option('-t, --token <token>', 'the token for the control plane (better: SPHERE_TOKEN)')
    .option('--non-interactive', 'ask nothing: what is missing is an error that names the flag')
    .option('--debug', 'print the stack of errors')
    .option('--no-color', 'print no colours')
    .configureHelp({
      showGlobalOptions: true,
      // Narrow terminals get narrow columns rather than words that are cut in two.
      minWidthToWrap: 20,
      // The program's own flags stand below its commands, among the notes.
      visibleOptions: (command) => (command.parent ? usualHelp.visibleOptions(command) : []),
    })
    .exitOverride()
    .addHelpText('after', ({ command }) => programNotes(command));
}

function fill(
  command: Command,
  name: string,
  file: CommandFile,
  choose: (invocation: Invocation) => void,
): void {
  // The help command would be listed among a command's own.
  command.helpCommand(false).usage(usageOf(file));
  file.define(command);
  if (file.examples) command.description(`${command.description()}${examplesText(file.examples)}`);
  if (file.notes) command.addHelpText('after', () => `\n${wrapped(command, file.notes ?? '')}`);
  const act = (words: string, run: Run) =>
    function action(this: Command) {
      choose({ name: words, run, args: this.args, options: this.optsWithGlobals() });
    };
  const names = file.subcommands?.map((sub) => sub.name) ?? [];
  const run = act(name, file.run);
  // A word too many for a command that takes none is a subcommand that is not there.
  const takesWords = names.length === 0 || command.registeredArguments.length > 0;
  command.allowExcessArguments(!takesWords).action(function action(this: Command) {
    const [word] = this.args;
    if (!takesWords && word !== undefined) throw unknownSubcommand(name, word, names);
    run.call(this);
  });
  for (const sub of file.subcommands ?? []) {
    const subcommand = command.command(sub.name).summary(sub.summary).description(`${sub.summary}.`);
    sub.define?.(subcommand);
    subcommand.allowExcessArguments(false).action(act(`${name} ${sub.name}`, sub.run));
  }
}

function unknownSubcommand(name: string, word: string, names: readonly string[]): SphereError {
  const near = closest(word, names);
  const isNear = distance(word, near) <= Math.max(1, Math.floor(near.length / 2));
  const hint = isNear
    ? `Did you mean \`sphere ${name} ${near}\`?`
    : `Known are ${names.join(', ')}. See \`sphere ${name} --help\`.`;
  return new SphereError('USAGE', `Unknown command '${name} ${word}'.`, { hint });
}

function usageOf(file: CommandFile): string {
  const probe = new Command();
  file.define(probe);
  const args = probe.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
  );
  return [...args, '[options]'].join(' ');
}

async function usageError(error: CommanderError, argv: readonly string[]): Promise<SphereError> {
  const [message = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const sentence = `${message.charAt(0).toUpperCase()}${message.slice(1).replace(/\.$/, '')}.`;
  const named = argv.find((word) => commands.some(({ name }) => name === word));
  const { wordOfOtherTools } = await import('./other-words.ts');
  const hint =
    wordOfOtherTools(error.code, /'([^']+)'/.exec(message)?.[1] ?? '', named) ??
    suggestion?.replace(/^\((.*)\)$/, '$1') ??
    directoryHint(error, argv) ??
    `See \`sphere ${named ? `${named} ` : ''}--help\`.`;
  return new SphereError('USAGE', sentence, { hint, cause: error });
}

/** Other tools deploy with `tool DIRECTORY`. */
function directoryHint(error: CommanderError, argv: readonly string[]): string | undefined {
  const word = argv.find((argument) => !argument.startsWith('-'));
  if (error.code !== 'commander.unknownCommand' || word === undefined || !existsSync(word)) return undefined;
  if (!statSync(word).isDirectory()) return undefined;
  return `To deploy that directory: sphere deploy ${path.normalize(word)}`;
}

/** A line for what it is for and one for the command, which stay whole on narrow terminals. */
function examplesText(examples: readonly Example[]): string {
  return `\n\nExamples:${examples.map(([line, meaning]) => `\n  # ${meaning}\n  $ ${line}`).join('')}`;
}

/** `text` in lines that fit the terminal, 100 columns at most. */
function wrapped(command: Command, text: string): string {
  const columns = command.configureOutput().getOutHelpWidth?.() ?? 80;
  const paragraphs = text.split('\n\n').map((paragraph) => paragraph.replaceAll('\n', ' '));
  return command.createHelp().boxWrap(paragraphs.join('\n\n'), Math.min(columns, 100));
}

function programNotes(command: Command): string {
  const help = command.createHelp();
  help.helpWidth = Math.min(command.configureOutput().getOutHelpWidth?.() ?? 80, 100);
  const list = (items: readonly (readonly [term: string, meaning: string])[]) => {
    const width = Math.max(...items.map(([term]) => term.length));
    return items.map(([term, meaning]) => help.formatItem(term, width, meaning, help)).join('\n');
  };
  const codes = Object.entries(exitCodeMeanings).map(
    ([code, meaning]) => [code.padStart(3), meaning] as const,
  );
  const names = shownVariables.map((name) => [name, cliEnvironment[name]] as const);
  const flags = usualHelp
    .visibleOptions(command)
    .map(({ flags, description }) => [flags, description] as const);
  return `
Flags of every command:
${list(flags)}

Exit codes:
${list(codes)}

Environment (flags go above it, docs/reference.md has all):
${list(names)}`;
}

const usualHelp = new Help();

const examples: readonly Example[] = [
  ['sphere deploy --local', 'deploy this directory, on this machine'],
  ['sphere deploy --repo https://github.com/you/site --ref main', 'deploy a repository'],
  ['URL=$(sphere deploy)', 'the address, and nothing else, on stdout'],
  ['sphere rollback', 'back to what was live before'],
];

const shownVariables = [
  'SPHERE_URL',
  'SPHERE_TOKEN',
  'SPHERE_PROJECT',
  'SPHERE_REGION',
  'SPHERE_HOME',
] as const;
