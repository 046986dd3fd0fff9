/** The whole cluster: what every Node published, and what those agents answer that the API server's pod proxy reaches. */
import { parseRecord } from '../../mesh/record.ts';
import type { NodeRecord } from '../../mesh/types.ts';
import { MESH } from '../../operator/config/resource.ts';
import type { Spec } from '../../operator/config/schema.ts';
import { NODES, parseNodeMetadata } from '../../operator/kube/node.ts';
import { type KubeClient, openCluster } from '../../operator/kube/open.ts';
import { type AdmissionPolicyState, admissionPolicyState } from '../../operator/kube/policy.ts';
import { parseMesh } from '../../operator/resource/parse.ts';
import type { AgentStatus } from '../../operator/status.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { errorCode } from '../explain.ts';
import { VERSION } from '../version.ts';
import { parseAnswer } from './answer.ts';
import { AGENT_LABELS, AGENT_PORT } from './deployment.ts';
import { RUN_DIR, type Source } from './options.ts';
import { mapLimited } from './pool.ts';

export interface Cluster {
  /** When it was read, in milliseconds since the epoch. */
  readonly now: number;
  /** Sorted by name. */
  readonly nodes: readonly ClusterNode[];
  /** What the EncryptionMesh wishes; absent: there is none, or it cannot be read or followed. */
  readonly spec?: Spec;
  /** Whether the cluster keeps Nodes from claiming what is not theirs. */
  readonly admissionPolicy?: AdmissionPolicyState;
}

export interface ClusterNode {
  readonly node: string;
  /** What the Node published. */
  readonly record: NodeRecord;
  readonly agent: AgentAnswer;
}

export type AgentAnswer =
  | { readonly answered: true; readonly status: AgentStatus }
  | { readonly answered: false; readonly reason: string };

const PAGE = 500;
/** Agents asked at a time: each goes through the API server. */
const AT_A_TIME = 16;
const ANSWER_WITHIN = 5000;
/** Bytes: ten times what an agent with 5000 peers answers; a bomb of gzip has more. */
const ANSWER_MAX = 16 * 1024 * 1024;

/** @throws OperatorError, KubeError; CliError where the cluster was only asked because there is no agent here */
export async function readCluster(source: Source & { kind: 'cluster' }, context: Context): Promise<Cluster> {
  const access = { kubeconfig: source.kubeconfig, context: source.context, environment: context.env };
  const { client } = await openCluster(access, `sheath/${VERSION}`).catch((cause: unknown) => {
    throw source.fallback && errorCode(cause) === 'KUBECONFIG_MISSING' ? nobodyToAsk(cause) : cause;
  });
  try {
    const records = await listRecords(client, context.signal);
    const { namespace } = source;
    const pods = await findAgents(client, namespace, context.signal);
    const nodes = await mapLimited(records, AT_A_TIME, async (record): Promise<ClusterNode> => {
      const asked = { node: record.name, namespace, found: pods(record.name) };
      const agent = await askAgent(client, asked, context.signal);
      return { node: record.name, record, agent };
    });
    const admissionPolicy = await admissionPolicyState(client, { signal: context.signal });
    const spec = await readSpec(client, context.signal);
    return { now: context.now(), nodes, ...(spec === undefined ? {} : { spec }), admissionPolicy };
  } finally {
    client.close();
  }
}

function nobodyToAsk(cause: unknown): CliError {
  return new CliError(
    `nobody to ask: no agent's socket in ${RUN_DIR}, and no kubeconfig; give --run-dir or --kubeconfig`,
    { code: 'NOBODY_TO_ASK', exitCode: EXIT.unreachable, cause },
  );
}

/** The records tell most without it; why there is none is for others to say. */
function readSpec(client: KubeClient, signal: AbortSignal): Promise<Spec | undefined> {
  return client
    .get(MESH, { signal })
    .then((object) => parseMesh(object).spec)
    .catch(() => undefined);
}

async function listRecords(client: KubeClient, signal: AbortSignal): Promise<readonly NodeRecord[]> {
  const records: NodeRecord[] = [];
  for await (const page of client.list(NODES, { limit: PAGE, metadataOnly: true, signal })) {
    for (const item of page.items) {
      const metadata = parseNodeMetadata(item);
      if (metadata !== undefined) records.push(parseRecord(metadata));
    }
  }
  return records.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** How to ask the agent of a Node: the name of its pod, or why there is nobody to ask. */
type FindAgent = (node: string) => { readonly pod: string } | { readonly reason: string };

async function findAgents(client: KubeClient, namespace: string, signal: AbortSignal): Promise<FindAgent> {
  const pods = new Map<string, string>();
  try {
    const path = `/api/v1/namespaces/${namespace}/pods`;
    for await (const page of client.list(path, { limit: PAGE, signal })) {
      for (const { name, node } of page.items.flatMap(agentPod)) pods.set(node, name);
    }
  } catch (error) {
    const reason = `the pods in ${namespace} cannot be listed: ${messageOf(error)}`;
    return () => ({ reason });
  }
  return (node) => {
    const pod = pods.get(node);
    return pod === undefined ? { reason: `no agent's pod in ${namespace} runs there` } : { pod };
  };
}

function agentPod(item: unknown): readonly { name: string; node: string }[] {
  const { metadata, spec } = item as {
    metadata?: { name?: unknown; labels?: Record<string, unknown> };
    spec?: { nodeName?: unknown };
  };
  const ours = Object.entries(AGENT_LABELS).every(([label, value]) => metadata?.labels?.[label] === value);
  if (!ours || typeof metadata?.name !== 'string' || typeof spec?.nodeName !== 'string') return [];
  return [{ name: metadata.name, node: spec.nodeName }];
}

async function askAgent(
  client: KubeClient,
  { node, namespace, found }: { node: string; namespace: string; found: ReturnType<FindAgent> },
  signal: AbortSignal,
): Promise<AgentAnswer> {
  if ('reason' in found) return { answered: false, reason: found.reason };
  const path = `/api/v1/namespaces/${namespace}/pods/${found.pod}:${AGENT_PORT}/proxy/status`;
  try {
    const answer = await client.get(path, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN)]),
      limit: ANSWER_MAX,
    });
    const status = parseAnswer(answer);
    if (status === undefined)
      return { answered: false, reason: `${found.pod} answers, but not as an agent does` };
    if (status.node !== node)
      return {
        answered: false,
        reason: `${found.pod} answers as the agent of ${status.node}, not of ${node}`,
      };
    return { answered: true, status };
  } catch (error) {
    return { answered: false, reason: `its agent ${found.pod} does not answer: ${messageOf(error)}` };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
