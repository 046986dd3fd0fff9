import { existsSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { type AgentClient, agentClient } from './agent.ts';
import { NAMESPACE } from './deployment.ts';

export const RUN_DIR = '/run/sheath';

/** In a container that is not privileged, /proc/sys is read-only: there it is a folder into which /proc/sys/net is mounted. */
export function procSysOption(): Option {
  return new Option('--proc-sys <folder>', 'where sysctls are written')
    .default('/proc/sys')
    .env('SHEATH_PROC_SYS');
}

export interface SourceOptions {
  readonly runDir?: string;
  readonly cluster?: boolean;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
}

/** Where an answer comes from: this node's agent, or the cluster. */
export type Source =
  | { readonly kind: 'agent'; readonly agent: AgentClient }
  | {
      readonly kind: 'cluster';
      readonly kubeconfig?: string;
      readonly context?: string;
      /** Of the agents' pods. */
      readonly namespace: string;
      readonly fallback: boolean;
    };

export function addSourceOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--run-dir <folder>', `folder of the agent's socket (default: ${RUN_DIR})`).env(
        'SHEATH_RUN_DIR',
      ),
    )
    .option('--cluster', 'ask the cluster instead of the agent of this node')
    .option('--kubeconfig <file>', 'how to reach the API server; implies --cluster')
    .option('--context <name>', 'which context of the kubeconfig; implies --cluster')
    .option('--namespace <name>', `where the agents' pods are (default: ${NAMESPACE})`);
}

/**
 * A source that was named is taken; SHEATH_RUN_DIR does not outdo a `--kubeconfig`, which somebody typed. Else it is the agent of
 * this node where its socket is, and the cluster where not.
 */
export function chooseSource(options: SourceOptions): Source {
  const agent = agentClient(options.runDir ?? RUN_DIR);
  const named = options.kubeconfig !== undefined || options.context !== undefined;
  const here = options.runDir !== undefined || existsSync(agent.socket);
  if (!options.cluster && !named && here) return { kind: 'agent', agent };
  return {
    kind: 'cluster',
    namespace: options.namespace ?? NAMESPACE,
    fallback: !options.cluster && !named,
    ...(options.kubeconfig === undefined ? {} : { kubeconfig: options.kubeconfig }),
    ...(options.context === undefined ? {} : { context: options.context }),
  };
}
