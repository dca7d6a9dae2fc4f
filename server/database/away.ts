/** A database that cannot be reached: what it looks like, and what is said of it. */
import { SphereError } from '../../contract/errors.ts';

/** PostgreSQL ends or refuses connections (appendix A: classes 08 and 57P, too many connections). */
const sqlStates = /^(?:08\w{3}|57P0[123]|53300)$/;
/** What pg itself says of a connection that ended; these errors have no code. */
const ended =
  /^(?:Connection terminated|Client has encountered a connection error|timeout exceeded when trying)/;

/** Whether a statement failed because its connection did. */
export function isConnectionFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as NodeJS.ErrnoException;
  const broke = syscall !== undefined && /^E(?:CONN|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH)/.test(code ?? '');
  return broke || sqlStates.test(code ?? '') || ended.test(error.message);
}

/** The failure in words for whoever called. */
export function databaseAway(cause: unknown): SphereError {
  return new SphereError('INFRASTRUCTURE', 'the plane cannot reach its database', {
    hint: 'Try again in a while. If it stays so, tell the admin of the plane: `sphere server check` there names the cause.',
    cause,
  });
}
