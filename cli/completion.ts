/** Completion scripts for shells, made from the list of commands. Pure. */
import type { CommandNode, CommandTree, Flag } from './command-tree.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;

/** The script that teaches `shell` the commands and flags of `tree`. */
export function completionScript(shell: (typeof shells)[number], tree: CommandTree): string {
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](tree);
}

/** Flags whose value is a file or directory. */
const takesPath = ({ long }: Flag) =>
  ['--prebuilt', '--root', '--output', '--cwd'].some((name) => long.includes(name));
const wordsOf = ({ long, short }: Flag) => [...long, ...(short ? [short] : [])];

/** A command, or a subcommand with its command's name before it. */
type Line = { words: string[]; node: CommandNode };
const linesOf = (tree: CommandTree): Line[] =>
  tree.commands.flatMap((node) => [
    { words: [node.name], node },
    ...node.subcommands.map((sub) => ({ words: [node.name, sub.name], node: sub })),
  ]);

/** What can be completed after the words of a command beside flags. */
const choicesOf = (node: CommandNode): string[] =>
  node.name === 'completion' ? [...shells] : node.subcommands.map(({ name }) => name);

function bashScript(tree: CommandTree): string {
  const flags = (node: CommandNode) => [...node.flags, ...tree.commonFlags].flatMap(wordsOf).join(' ');
  const cases = linesOf(tree).map(
    ({ words, node }) =>
      `    '${words.join(' ')}') flags='${flags(node)}'; words='${choicesOf(node).join(' ')}' ;;`,
  );
  const all = [...tree.commonFlags, ...linesOf(tree).flatMap(({ node }) => node.flags)];
  const valued = [...new Set(all.filter(({ value }) => value).flatMap(wordsOf))];
  const paths = [...new Set(all.filter(takesPath).flatMap(wordsOf))];
  return `# Completion of sphere for bash.
_sphere() {
  local current previous command='' word index flags words
  current=\${COMP_WORDS[COMP_CWORD]}
  previous=\${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  case $previous in
    ${paths.join('|')}) COMPREPLY=($(compgen -f -- "$current")); return ;;
    ${valued.filter((word) => !paths.includes(word)).join('|')}) return ;;
  esac
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    case $word in
      ${valued.join('|')}) ((index++)) ;;
      -*) ;;
      *)
        case "$command" in
          '') command=$word ;;
${tree.commands
  .filter(({ subcommands }) => subcommands.length > 0)
  .map(
    ({ name, subcommands }) =>
      `          ${name}) case $word in ${subcommands.map((sub) => sub.name).join('|')}) command="$command $word" ;; esac ;;`,
  )
  .join('\n')}
        esac ;;
    esac
  done
  case $command in
    '') flags='${tree.commonFlags.flatMap(wordsOf).join(' ')}'; words='${tree.commands.map(({ name }) => name).join(' ')}' ;;
${cases.join('\n')}
    *) return ;;
  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
  else
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    # Where an argument may be a directory.
    if [[ -z $words ]]; then COMPREPLY=($(compgen -f -- "$current")); fi
  fi
}
complete -o filenames -F _sphere sphere`;
}

/** Within single quotes of zsh and fish. */
const quoted = (text: string) => text.replaceAll("'", `'\\''`);
/** Within the brackets of zsh's descriptions. Quoted last: the backslash of a quote is the shell's, not the bracket's. */
const bracketed = (text: string) => quoted(text.replace(/[[\]:\\]/g, '\\$&'));

function zshScript(tree: CommandTree): string {
  const specs = (flags: readonly Flag[]) =>
    flags.flatMap((flag) => {
      const action = !flag.value ? '' : takesPath(flag) ? ':file:_files' : ':value: ';
      return wordsOf(flag).map((word) => `'${word}[${bracketed(flag.description)}]${action}'`);
    });
  const describe = (nodes: readonly { name: string; summary: string }[]) =>
    nodes.map(({ name, summary }) => `'${name}:${quoted(summary).replaceAll(':', '\\:')}'`).join(' ');
  const cases = tree.commands.map((node) => {
    const rest =
      node.subcommands.length > 0
        ? [`'1:command:((${node.subcommands.map(({ name }) => name).join(' ')}))'`]
        : node.name === 'completion'
          ? [`'1:shell:(${shells.join(' ')})'`]
          : node.name === 'deploy'
            ? [`'1:directory:_files -/'`]
            : [];
    const nested = node.subcommands.flatMap((sub) => specs(sub.flags));
    const words = [...new Set([...specs(node.flags), ...nested, ...specs(tree.commonFlags), ...rest])];
    return `      ${node.name}) _arguments ${words.join(' ')} ;;`;
  });
  return `#compdef sphere
# Completion of sphere for zsh.
_sphere() {
  local curcontext=$curcontext state line
  local -a commands
  commands=(${describe(tree.commands)})
  _arguments -C ${specs(tree.commonFlags).join(' ')} '1: :->command' '*:: :->rest'
  case $state in
    command) _describe -t commands 'command' commands ;;
    rest) case $words[1] in
${cases.join('\n')}
    esac ;;
  esac
}
if [ "$funcstack[1]" = _sphere ]; then _sphere "$@"; else compdef _sphere sphere; fi`;
}

function fishScript(tree: CommandTree): string {
  const flagLine = (condition: string, flag: Flag) => {
    const words = wordsOf(flag).map((word) =>
      word.startsWith('--') ? `-l ${word.slice(2)}` : `-s ${word.slice(1)}`,
    );
    const value = !flag.value ? '' : takesPath(flag) ? ' -r -F' : ' -x';
    return `complete -c sphere${condition} ${words.join(' ')}${value} -d '${quoted(flag.description)}'`;
  };
  const seen = (name: string) => ` -n '__fish_seen_subcommand_from ${name}'`;
  const lines = tree.commands.flatMap((node) => [
    `complete -c sphere -n __fish_use_subcommand -a ${node.name} -d '${quoted(node.summary)}'`,
    ...node.flags.map((flag) => flagLine(seen(node.name), flag)),
    ...(node.name === 'completion' ? [`complete -c sphere${seen(node.name)} -a '${shells.join(' ')}'`] : []),
    ...node.subcommands.flatMap((sub) => [
      `complete -c sphere -n '__fish_seen_subcommand_from ${node.name}; and not __fish_seen_subcommand_from ${node.subcommands.map(({ name }) => name).join(' ')}' -a ${sub.name} -d '${quoted(sub.summary)}'`,
      ...sub.flags.map((flag) =>
        flagLine(
          ` -n '__fish_seen_subcommand_from ${node.name}; and __fish_seen_subcommand_from ${sub.name}'`,
          flag,
        ),
      ),
    ]),
  ]);
  return [
    '# Completion of sphere for fish.',
    'complete -c sphere -f',
    `complete -c sphere${seen('deploy')} -F`,
    ...tree.commonFlags.map((flag) => flagLine('', flag)),
    ...lines,
  ].join('\n');
}
