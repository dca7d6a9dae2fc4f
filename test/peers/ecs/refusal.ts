/** What the emulator answers to a request that ECS would refuse. */

export class Refusal extends Error {
  readonly status: number;
  /** More members of the answer. */
  readonly more: Record<string, unknown>;

  /** `name` is the error's code, such as `InvalidParameterException`. */
  constructor(name: string, message: string, more: Record<string, unknown> = {}, status = 400) {
    super(message);
    this.name = name;
    this.status = status;
    this.more = more;
  }
}

/** Throws InvalidParameterException with `message` unless `right`. */
export function mustBe(right: boolean, message: string): asserts right {
  if (!right) throw new Refusal('InvalidParameterException', message);
}
