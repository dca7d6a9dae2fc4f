/**
 * Closed parts of logs in the artifact store: `logs/<deployment>/<first>-<last>`, gzip.
 *
 * The first line of an object is the state behind it as JSON, the others are the lines in their kept form. An object
 * that only says that a log has ended has no lines, and a last one below its first. Objects may overlap when a replica
 * was slow; then both hold the same.
 */
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { encodeLine, type LogBatch } from '../../../contract/logs.ts';
import type { ArtifactStore } from '../../ports.ts';
import { batchFrom, cutPieces, type Piece } from './log-pieces.ts';
import { emptyState, type LogState } from './log-scripts.ts';

export type LogSegments = {
  put(deployment: string, segment: { first: number; state: LogState; lines: string }): Promise<void>;
  /** The state behind the newest segment; the empty one when there is none. */
  newest(deployment: string): Promise<LogState>;
  /** Lines after seq `after`; null when no segment has any. */
  read(deployment: string, after: number, maxBytes: number): Promise<LogBatch | null>;
  /** Removes all and answers their bytes. */
  remove(deployment: string): Promise<number>;
};

type Name = { key: string; first: number; last: number };
type Segment = { state: LogState; pieces: Piece[] };

const pieceBytes = 64 * 1024;
/** Segments that were read last, each of 4 MB of text. */
const maxSegments = 8;
const maxLists = 1_000;
const digits = 10;
const compress = promisify(gzip);
const expand = promisify(gunzip);

const prefixOf = (deployment: string) => `logs/${deployment}/`;

export function createLogSegments(artifacts: ArtifactStore): LogSegments {
  const lists = createRecent<Name[]>(maxLists);
  const segments = createRecent<Promise<Segment | null>>(maxSegments);

  async function list(deployment: string): Promise<Name[]> {
    const found = await artifacts.list(prefixOf(deployment));
    const names = found.map(({ key }) => parseName(key)).sort((a, b) => a.last - b.last || a.first - b.first);
    if (names.length > 0) lists.set(deployment, names);
    return names;
  }

  function load(key: string): Promise<Segment | null> {
    const known = segments.get(key);
    if (known) return known;
    const loading = artifacts.get(key).then(async (object) => {
      if (object === null) return null;
      return parseSegment(parseName(key).first, await expand(object));
    });
    segments.set(key, loading);
    loading.then(
      (segment) => segment ?? segments.delete(key),
      () => segments.delete(key),
    );
    return loading;
  }

  /** The segment that has line `seq`, else the next one that is there: older ones may have been removed. */
  const find = (names: readonly Name[], seq: number) =>
    names.findLast(({ first, last }) => first <= seq && seq <= last) ??
    names.find(({ first, last }) => first > seq && first <= last);

  return {
    async put(deployment, { first, state, lines }) {
      const number = (seq: number) => String(seq).padStart(digits, '0');
      const key = `${prefixOf(deployment)}${number(first)}-${number(state.last)}`;
      await artifacts.put(key, await compress(`${JSON.stringify(state)}\n${lines}`));
    },
    async newest(deployment) {
      const name = (await list(deployment)).at(-1);
      return (name && (await load(name.key))?.state) ?? emptyState;
    },
    async read(deployment, after, maxBytes) {
      const seq = after + 1;
      const known = find(lists.get(deployment) ?? [], seq);
      const name = known && known.first <= seq ? known : find(await list(deployment), seq);
      if (name === undefined) return null;
      if (name.first > seq) return missingLines(seq, name.first - 1);
      const segment = await load(name.key);
      if (segment === null) {
        lists.delete(deployment);
        return missingLines(seq, name.last);
      }
      return batchFrom(segment.pieces, after, maxBytes);
    },
    async remove(deployment) {
      const found = await artifacts.list(prefixOf(deployment));
      await artifacts.remove(found.map(({ key }) => key));
      lists.delete(deployment);
      for (const { key } of found) segments.delete(key);
      return found.reduce((sum, { bytes }) => sum + bytes, 0);
    },
  };
}

function parseName(key: string): Name {
  const [first, last] = key
    .slice(key.lastIndexOf('/') + 1)
    .split('-')
    .map(Number);
  return { key, first: first as number, last: last as number };
}

function parseSegment(first: number, content: Buffer): Segment {
  const text = content.toString();
  const end = text.indexOf('\n');
  const state = JSON.parse(text.slice(0, end)) as LogState;
  return { state, pieces: cutPieces(first, text.slice(end + 1), pieceBytes) };
}

/** Stands for lines that are gone, so that whoever follows goes on behind them. */
function missingLines(first: number, last: number): LogBatch {
  const text = `Lines ${first} to ${last} of this log are no longer kept.`;
  return { first, last, lines: encodeLine(last, [Date.now(), 'queue', 'sphere', text]) };
}

/** A map that forgets what has not been used for longest. */
export function createRecent<T>(max: number) {
  const values = new Map<string, T>();
  return {
    get(key: string): T | undefined {
      const value = values.get(key);
      if (value === undefined) return undefined;
      values.delete(key);
      values.set(key, value);
      return value;
    },
    set(key: string, value: T): void {
      values.delete(key);
      values.set(key, value);
      if (values.size > max) values.delete(values.keys().next().value as string);
    },
    delete: (key: string) => values.delete(key),
    clear: () => values.clear(),
  };
}
