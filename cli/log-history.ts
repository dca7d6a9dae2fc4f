/** The stored lines of a log, over REST. */
import { createInterface } from 'node:readline';
import type { LogLine } from '../contract/logs.ts';
import type { Api } from './api.ts';

/** So many lines are handed on at a time. */
const pageLines = 2_000;

/** The lines after seq `after` that the plane has stored, in order; what is printed meanwhile may be left out. */
export async function* readStoredLog(api: Api, id: string, after: number): AsyncGenerator<LogLine[]> {
  const content = await api.readLogs(id, after);
  let page: LogLine[] = [];
  try {
    for await (const line of createInterface({ input: content, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (line === '') continue;
      page.push(JSON.parse(line) as LogLine);
      if (page.length === pageLines) {
        yield page;
        page = [];
      }
    }
    if (page.length > 0) yield page;
  } finally {
    content.destroy();
  }
}
