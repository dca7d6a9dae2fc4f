/** docs/commands.md: every command with its examples, arguments and flags, made from what the CLI itself reads. */
import type { CommandNode, CommandTree, Flag } from '../../cli/command-tree.ts';
import { readCommandTree } from '../../cli/command-tree.ts';
import { cliEnvironment } from '../../contract/environment.ts';
import { exitCodeMeanings } from '../../contract/errors.ts';

/** The text of `docs/commands.md`. */
export async function commandsText(): Promise<string> {
  const tree = await readCommandTree();
  const groups = [...new Set(tree.commands.map(({ group }) => group))];
  const parts = [
    '# Commands',
    'Generated from the commands of the CLI by `npm run generate`; `sphere COMMAND --help` says the same.',
    ...groups.flatMap((group) => overview(group, tree)),
    '## Flags of every command',
    flagTable(tree.commonFlags),
    ...tree.commands.flatMap((node) => commandParts(`sphere ${node.name}`, node, '##')),
    '## Exit codes',
    table(['code', 'meaning'], Object.entries(exitCodeMeanings)),
    '## Environment',
    'Below flags, above `sphere.json`. Nothing is asked where `CI` is set; `NO_COLOR` and `FORCE_COLOR` are heeded.',
    table(
      ['name', 'meaning'],
      Object.entries(cliEnvironment).map(([name, meaning]) => [`\`${name}\``, meaning]),
    ),
    '## Files',
    table(
      ['file', 'what it is'],
      [
        [
          '`sphere.json`',
          'The settings of the project, for everybody who works on it. See [reference.md](reference.md).',
        ],
        [
          '`.sphere/project.json`',
          'What `sphere link` wrote: the plane and the project of this directory, for you. Git leaves it out.',
        ],
        [
          '`~/.config/sphere/credentials.json`',
          'The tokens of `sphere login`, which only you can read. `XDG_CONFIG_HOME` is heeded.',
        ],
        [
          '`~/.local/share/sphere`',
          'The plane on this machine (on macOS `~/Library/Application Support/sphere`). `SPHERE_HOME` moves it.',
        ],
        ['`.sphereignore`', 'What an upload leaves out, beside what `.gitignore` does.'],
      ],
    ),
  ];
  return `${parts.join('\n\n')}\n`;
}

function overview(group: string, tree: CommandTree): string[] {
  const rows = tree.commands
    .filter((node) => node.group === group)
    .map(({ name, summary }) => [`[\`${name}\`](#sphere-${name})`, summary]);
  return [`**${group}**`, table(['command', 'what it does'], rows)];
}

function commandParts(words: string, node: CommandNode, heading: string): string[] {
  const usage = [
    words,
    ...node.arguments.map(({ name, required }) => (required ? `<${name}>` : `[${name}]`)),
    '[flags]',
  ];
  return [
    `${heading} ${words}`,
    `${node.summary.charAt(0).toUpperCase()}${node.summary.slice(1)}.`,
    [
      '```sh',
      ...node.examples.flatMap(([line, meaning]) => [`# ${meaning}`, line]),
      ...(node.examples.length === 0 ? [usage.join(' ')] : []),
      '```',
    ].join('\n'),
    ...(node.examples.length === 0 ? [] : [`Usage: \`${usage.join(' ')}\``]),
    ...(node.arguments.length === 0
      ? []
      : [
          table(
            ['argument', 'meaning'],
            node.arguments.map(({ name, description }) => [`\`${name}\``, description]),
          ),
        ]),
    ...(node.flags.length === 0 ? [] : [flagTable(node.flags)]),
    ...(node.notes === null ? [] : [node.notes.replaceAll('\n', ' ')]),
    ...node.subcommands.flatMap((sub) => commandParts(`${words} ${sub.name}`, sub, '###')),
  ];
}

const flagTable = (flags: readonly Flag[]) =>
  table(
    ['flag', 'meaning'],
    flags.map(({ short, long, value, description }) => [
      `\`${[...(short ? [short] : []), ...long].join(', ')}${value ? ` ${value}` : ''}\``,
      description,
    ]),
  );

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
