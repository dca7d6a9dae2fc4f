/** Questions to the person at the terminal. They are asked on stderr: stdout is for the result. */
import { SphereError } from '../contract/errors.ts';
import { slugProblem } from './slug.ts';

export type Choice = { value: string; label: string };

export type Prompts = {
  /** `enter`: what the Enter key alone means; default: yes. */
  confirm(question: string, enter?: boolean): Promise<boolean>;
  slug(question: string, suggestion: string | null): Promise<string>;
  /** `problem` says what is wrong with an answer, or null. */
  text(
    question: string,
    suggestion: string | null,
    problem: (answer: string) => string | null,
  ): Promise<string>;
  /** One of `choices`; `enter`: the value that the Enter key alone means. */
  select(question: string, choices: readonly Choice[], enter: string): Promise<string>;
  /** An answer that is not shown. */
  secret(question: string): Promise<string>;
};

/** Loads the prompts only when there is something to ask. Ctrl-C at a question throws `INTERRUPTED`. */
export function createPrompts(stderr: NodeJS.WriteStream): Prompts {
  const ask = async <T>(prompt: (library: typeof import('@inquirer/prompts')) => Promise<T>): Promise<T> => {
    try {
      return await prompt(await import('@inquirer/prompts'));
    } catch (error) {
      if ((error as Error).name !== 'ExitPromptError') throw error;
      throw new SphereError('INTERRUPTED', 'Interrupted; nothing was changed.', { cause: error });
    }
  };
  const context = { output: stderr };
  const text: Prompts['text'] = (message, suggestion, problem) =>
    ask((library) =>
      library.input(
        {
          message,
          ...(suggestion === null ? {} : { default: suggestion }),
          validate: (value) => problem(value) ?? true,
        },
        context,
      ),
    );
  return {
    confirm: (message, enter = true) =>
      ask((library) => library.confirm({ message, default: enter }, context)),
    slug: (message, suggestion) => text(message, suggestion, slugProblem),
    text,
    select: (message, choices, enter) =>
      ask((library) =>
        library.select(
          {
            message,
            choices: choices.map(({ value, label }) => ({ value, name: label, short: value })),
            default: enter,
            loop: false,
          },
          context,
        ),
      ),
    secret: (message) =>
      ask((library) =>
        library.password(
          { message, mask: '*', validate: (value) => (value.trim() === '' ? 'It is empty' : true) },
          context,
        ),
      ),
  };
}
