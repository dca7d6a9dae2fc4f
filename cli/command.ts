/** What a command is, and what it is given. */
import type { Command } from 'commander';
import type { Environment } from './config.ts';
import type { Interrupt } from './interrupt.ts';
import type { Output } from './output.ts';
import type { PlaneWish } from './plane-choice.ts';
import type { Prompts } from './prompts.ts';
import type { StdinLimits } from './stdin.ts';

export type Context = {
  environment: Environment;
  /** Where the command was started, or what `--cwd` says; absolute. */
  directory: string;
  output: Output;
  /** Null where nobody can answer: no terminal, CI, `--yes` or `--json`. */
  prompts: Prompts | null;
  /** `--yes`: every question is answered with yes. */
  yes: boolean;
  interrupt: Interrupt;
  /** The flags that say which plane is meant, and with which token. */
  flags: PlaneWish['flags'];
  /** What is piped into the command, whole; null where nothing is. */
  piped(limits?: StdinLimits): Promise<string | null>;
};

/** What a command comes to: `json` with `--json`, else `text`, on stdout. */
export type Result = {
  json: unknown;
  /** Without the last line break; null prints nothing. */
  text: string | null;
  /** Something is not as it should be, or a question was answered with no: the exit code says so. */
  failed?: boolean;
};

/** A null result: the command has written its result itself. */
export type Run = (context: Context, args: string[], options: never) => Promise<Result | null>;

export type Example = readonly [line: string, meaning: string];

/** One file of `commands/`. It loads what it needs inside `run`, so that help loads nothing. */
export type CommandFile = {
  /** Command lines and what each is for: help shows them first. */
  examples?: readonly Example[];
  /** What else is good to know, below the options. Lines of at most 100 characters. */
  notes?: string;
  /** Adds arguments and options. */
  define(command: Command): void;
  run: Run;
  subcommands?: readonly Subcommand[];
};

export type Subcommand = {
  name: string;
  summary: string;
  /** Adds arguments and options of its own. */
  define?(command: Command): void;
  run: Run;
};

/** An entry of the list of commands. */
export type CommandEntry = {
  name: string;
  summary: string;
  group: string;
  load(): Promise<{ command: CommandFile }>;
};
