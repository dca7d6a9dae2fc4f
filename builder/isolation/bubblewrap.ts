/** What the isolated commands of a source are given of the machine, as arguments for bubblewrap. Pure. */
import { bubblewrapNamespaces } from '../../files/bubblewrap.ts';

/** One thing in the file system that the commands see. Nothing else is there. */
export type Mount =
  /** `from`, which nobody can write through `at`. */
  | { kind: 'read'; from: string; at: string }
  | { kind: 'write'; from: string; at: string }
  | { kind: 'link'; to: string; at: string };

export type View = {
  mounts: readonly Mount[];
  /** As whom the commands see themselves: the builder's own user under this id. */
  uid: number;
  gid: number;
};

/** The arguments before the command. Later mounts lie over earlier ones. */
export function bubblewrapArguments({ mounts, uid, gid }: View): string[] {
  return [
    ...bubblewrapNamespaces,
    ...['--uid', String(uid), '--gid', String(gid)],
    // Processes of its own alone; no disks, no terminals but new ones.
    ...['--proc', '/proc', '--dev', '/dev'],
    ...mounts.flatMap(argumentsOf),
    // What holds the mount points is memory.
    ...['--remount-ro', '/'],
  ];
}

function argumentsOf(mount: Mount): string[] {
  if (mount.kind === 'link') return ['--symlink', mount.to, mount.at];
  return [mount.kind === 'read' ? '--ro-bind' : '--bind', mount.from, mount.at];
}
