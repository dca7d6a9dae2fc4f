/** From what ECS says of a task to a builder's state. */
import type { Container, Task } from '@aws-sdk/client-ecs';
import type { BuilderState } from '../../ports.ts';
import { endOfStoppedTask, stoppedTaskOf } from './stopped-task.ts';

const starting = new Set(['PROVISIONING', 'PENDING', 'ACTIVATING']);

/**
 * Whether nothing of the task runs any more. While it is DEPROVISIONING "the task has stopped" and its network interface is
 * taken away (ECS developer guide, "Task lifecycle"): waiting for that would cost the next attempt up to half a minute.
 */
export function hasStopped(task: Task): boolean {
  const { lastStatus = '', containers = [] } = task;
  if (lastStatus === 'STOPPED' || lastStatus === 'DELETED') return true;
  // A container's end and why it ended need not be known at the same moment.
  const saysWhy = (one: Container) => one.exitCode !== undefined || one.reason !== undefined;
  return (
    lastStatus === 'DEPROVISIONING' && containers.every((one) => one.lastStatus === 'STOPPED' && saysWhy(one))
  );
}

/** The state of the builder in `task`, whose container is called `container`. */
export function stateOfTask(task: Task, container: string): BuilderState {
  if (hasStopped(task)) return { state: 'ended', ...endOfStoppedTask(stoppedTaskOf(task, container)) };
  return { state: starting.has(task.lastStatus ?? '') ? 'starting' : 'running' };
}
