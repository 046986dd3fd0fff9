/**
 * How a command is part of the program.
 *
 * Each command is one file in `cli/commands/` that exports `register`, and one entry in the table below. The file is
 * loaded only when its command is the one that was called, so `--help` and every other command start without it: what
 * is heavy there (the API client, the dataplane) is imported inside the action, dynamically, for the same reason.
 *
 *     export const register: Register = (command, context) => {
 *       command.option('--nodes <n>', 'how many nodes').action(async (options) => { … });
 *     };
 *
 * An action writes what was asked for to `context.out` and progress to `context.err`, throws `CliError` (or any error with
 * a `code`) when it cannot do what was asked, and sets `context.exitCode` when it could but the mesh is not well.
 */
import type { Command } from 'commander';
import type { Context } from './context.ts';

export type Register = (command: Command, context: Context) => void;

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<{ readonly register: Register }>;
}

/** In the order in which `--help` shows them. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'status',
    summary: 'is everything encrypted, and if not: who, why, since when',
    load: () => import('./commands/status.ts'),
  },
  {
    name: 'peers',
    summary: 'how each peer stands: state, handshake, traffic, MTU',
    load: () => import('./commands/peers.ts'),
  },
  {
    name: 'plan',
    summary: 'what the agent would change, without changing it',
    load: () => import('./commands/plan.ts'),
  },
  {
    name: 'enable',
    summary: 'encrypt the cluster, or more of it, and wait until it is',
    load: () => import('./commands/enable.ts'),
  },
  {
    name: 'rotate',
    summary: 'change all keys while traffic flows',
    load: () => import('./commands/rotate.ts'),
  },
  {
    name: 'disable',
    summary: 'switch encryption off, without losing a packet',
    load: () => import('./commands/disable.ts'),
  },
  {
    name: 'agent',
    summary: 'run the agent of this node',
    load: () => import('./commands/agent.ts'),
  },
  {
    name: 'controller',
    summary: 'run the controller of the cluster: status, schedules, events',
    load: () => import('./commands/controller.ts'),
  },
  {
    name: 'cleanup',
    summary: 'take everything back on this node, without an agent',
    load: () => import('./commands/cleanup.ts'),
  },
  {
    name: 'manifests',
    summary: 'all that a cluster needs, for kubectl apply',
    load: () => import('./commands/manifests.ts'),
  },
  {
    name: 'uninstall',
    summary: 'switch off, wait for every node, and delete Sheath from the cluster',
    load: () => import('./commands/uninstall.ts'),
  },
  {
    name: 'lab',
    summary: 'a mesh of network namespaces on this machine, to try things on',
    load: () => import('./commands/lab.ts'),
  },
  {
    name: 'version',
    summary: 'the version of this program and of what it runs on',
    load: () => import('./commands/version.ts'),
  },
];
