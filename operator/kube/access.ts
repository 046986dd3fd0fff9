/**
 * How to reach an API server and who we are there: from a kubeconfig, or in a pod from its service account.
 * Plain kubeconfigs (certificates, tokens, token files, passwords) are read here; what needs a plugin, a provider or a proxy
 * goes through client-node's KubeConfig, loaded only then: it costs 60 MB.
 */
import type { Agent } from 'node:http';

export interface Access {
  readonly server: URL;
  readonly tls: TlsOptions;
  /** Says where this came from, for messages: a path, or `the pod's service account`. */
  readonly origin: string;
  /** Value of the header `Authorization`. `fresh`: the last one was refused. */
  authorization(fresh?: boolean): Promise<string | undefined>;
  /** A proxy's agent, in place of our own. */
  readonly agent?: Agent;
}

export interface TlsOptions {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

export interface AccessOptions {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}
