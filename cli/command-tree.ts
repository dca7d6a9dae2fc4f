/** Every command with its arguments, flags and help, as plain data: for completion and for the pages in docs/. */
import { Command, type Option } from 'commander';
import type { Example } from './command.ts';
import { commands } from './command-list.ts';
import { createProgram } from './program.ts';

export type Flag = {
  /** `--slug`, and what stands for the same: `--project`. */
  long: string[];
  short: string | null;
  /** What its value is called, such as `<slug>`; null for a flag without one. */
  value: string | null;
  description: string;
  /** Under which heading help shows it; null: the usual one. */
  group: string | null;
};

export type CommandNode = {
  name: string;
  summary: string;
  group: string;
  arguments: { name: string; required: boolean; description: string }[];
  flags: Flag[];
  examples: readonly Example[];
  notes: string | null;
  subcommands: CommandNode[];
};

export type CommandTree = { commands: CommandNode[]; commonFlags: Flag[] };

/** Loads every command and reads what it defines. */
export async function readCommandTree(): Promise<CommandTree> {
  const nodes = await Promise.all(
    commands.map(async ({ name, summary, group, load }): Promise<CommandNode> => {
      const { command: file } = await load();
      const { arguments: args, flags } = defined((command) => file.define(command));
      const subcommands = (file.subcommands ?? []).map((sub) => ({
        name: sub.name,
        summary: sub.summary,
        group,
        ...defined((command) => sub.define?.(command)),
        examples: [],
        notes: null,
        subcommands: [],
      }));
      return {
        name,
        summary,
        group,
        arguments: args,
        flags,
        examples: file.examples ?? [],
        notes: file.notes ?? null,
        subcommands,
      };
    }),
  );
  return { commands: nodes, commonFlags: createProgram().options.map(describe) };
}

function defined(define: (command: Command) => void): Pick<CommandNode, 'arguments' | 'flags'> {
  const command = new Command();
  define(command);
  return {
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      required: argument.required,
      description: argument.description,
    })),
    flags: command.options.map(describe),
  };
}

function describe(option: Option): Flag {
  const words = option.flags.split(/[ ,|]+/).filter((word) => word.startsWith('-'));
  return {
    long: words.filter((word) => word.startsWith('--')),
    short: words.find((word) => /^-[^-]$/.test(word)) ?? null,
    value: /[<[].*[>\]]$/.exec(option.flags)?.[0] ?? null,
    description: option.description,
    group: option.helpGroupHeading ?? null,
  };
}
