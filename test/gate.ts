/** A place at which work waits until the test lets it on. */

/** `pass` is for whoever comes, `reached` resolves when somebody has come, and `open` lets all on. */
export function createGate() {
  let open = () => {};
  let reach = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  const pass = async () => {
    reach();
    await opened;
  };
  return { pass, open: () => open(), reached };
}
