/** A terminal, which tmux emulates, and what it showed when. */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/** How often is looked, in milliseconds. */
const lookEveryMs = 60;
/** What stands still for longer is shown for this long alone. */
const mostStillMs = 1_200;
const patienceMs = 90_000;

/**
 * Opens a shell in `directory`. `frames` grows with every change of the screen: `at` in milliseconds of the recording,
 * `screen` with its escape sequences.
 */
export function openTerminal({ directory, environment, size, socket }) {
  const tmux = (...args) =>
    execFileSync('tmux', ['-S', socket, '-f', '/dev/null', ...args], {
      cwd: directory,
      env: { ...environment, SHELL: '/bin/sh', ENV: '', PS1: '$ ' },
      encoding: 'utf8',
    });
  tmux('new-session', '-d', '-x', String(size.columns), '-y', String(size.rows), '/bin/sh');
  const frames = [];
  let at = 0;
  let lookedAt = Date.now();
  let still = 0;

  const look = () => {
    const screen = tmux('capture-pane', '-p', '-e');
    const passed = Date.now() - lookedAt;
    lookedAt = Date.now();
    const shown = Math.min(passed, Math.max(0, mostStillMs - still));
    at += shown;
    still += passed;
    if (frames.at(-1)?.screen !== screen) {
      frames.push({ at, screen });
      still = 0;
    }
    return screen;
  };

  /** Whether the shell waits for the next line. */
  const isIdle = () => /\n?\$ *\n*$/.test(tmux('capture-pane', '-p'));

  return {
    frames,
    /** Types `line` as people do, and waits until it has ended. A question is answered with Enter. */
    async run(line) {
      for (const letter of line) {
        tmux('send-keys', '-l', letter);
        await sleep(35);
        look();
      }
      await sleep(300);
      tmux('send-keys', 'Enter');
      const deadline = Date.now() + patienceMs;
      let answered = false;
      do {
        await sleep(lookEveryMs);
        const screen = look();
        if (!answered && /\(\s*Y\/n\)/.test(screen)) {
          answered = true;
          await sleep(900);
          look();
          tmux('send-keys', 'Enter');
        }
        if (Date.now() > deadline) throw new Error(`"${line}" has not ended:\n${screen}`);
      } while (!isIdle());
      look();
    },
    async pause(ms) {
      look();
      at += ms;
      frames.push({ at, screen: frames.at(-1).screen });
    },
    close: () => tmux('kill-server'),
  };
}
