/** Looks tasks up: whoever asks within a moment shares the calls, so that a hundred builders cost one question and not a hundred. */
import { setTimeout as delay } from 'node:timers/promises';
import { DescribeTasksCommand, type ECSClient, type Task } from '@aws-sdk/client-ecs';

/** "A list of up to 100 task IDs or full ARN entries" (DescribeTasks). */
const tasksPerCall = 100;

export type TaskLookup = (arns: readonly string[]) => Promise<ReadonlyMap<string, Task>>;

/**
 * Answers with the tasks that ECS knows, by ARN, as they are after the question. Questions wait for `gatherMs` and go out
 * together: AWS limits reads per account and region, all replicas together, and builders are also asked about one by one
 * while they are stopped. `cluster`: where tasks are whose ARN does not say it.
 */
export function createTaskLookup(client: ECSClient, cluster: string, gatherMs: number): TaskLookup {
  let next: { arns: Set<string>; found: Promise<ReadonlyMap<string, Task>> } | null = null;
  return async (arns) => {
    if (arns.length === 0) return new Map();
    if (next === null) {
      const gathered = new Set<string>();
      const found = delay(gatherMs).then(() => {
        next = null;
        return describe(client, cluster, gathered);
      });
      next = { arns: gathered, found };
    }
    for (const arn of arns) next.arns.add(arn);
    return next.found;
  };
}

/**
 * The cluster of a task is in its ARN: a plane that was given another cluster still finds what it started before.
 * `arn:aws:ecs:REGION:ACCOUNT:task/CLUSTER/ID`; ARNs of the old form have no cluster.
 */
export function clusterOf(arn: string, otherwise: string): string {
  const parts = arn.split('/');
  return parts.length === 3 ? (parts[1] as string) : otherwise;
}

async function describe(
  client: ECSClient,
  otherwise: string,
  arns: ReadonlySet<string>,
): Promise<Map<string, Task>> {
  const clusters = new Map<string, string[]>();
  for (const arn of arns) {
    const cluster = clusterOf(arn, otherwise);
    clusters.set(cluster, [...(clusters.get(cluster) ?? []), arn]);
  }
  const found = new Map<string, Task>();
  for (const [cluster, all] of clusters)
    for (let first = 0; first < all.length; first += tasksPerCall) {
      const tasks = all.slice(first, first + tasksPerCall);
      const answer = await client.send(new DescribeTasksCommand({ cluster, tasks }));
      for (const task of answer.tasks ?? []) found.set(task.taskArn ?? '', task);
    }
  return found;
}
