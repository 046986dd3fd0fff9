/** What the controller keeps of a Node: a few numbers and its labels, for thousands of them. */
import type { NodeOnItsWay, ProgressRecord } from '../../mesh/progress.ts';
import { parseRecord } from '../../mesh/record.ts';
import type { Labels } from '../config/selector.ts';
import { parseNodeMetadata } from '../kube/node.ts';
import { Pool } from './pool.ts';

export interface ClusterNode extends NodeOnItsWay {
  readonly name: string;
  readonly uid: string;
  readonly labels: Labels;
  readonly os: string | undefined;
}

/** Nearly all nodes say the same: equal values are one, so that a comparison is one too. */
const generations = new Pool<ProgressRecord['generations']>();
const sendings = new Pool<readonly number[]>();
const agents = new Pool<NonNullable<ProgressRecord['agent']>>();
const texts = new Pool<string>();

/** Undefined when it is no Node. */
export function keepNode(object: unknown): ClusterNode | undefined {
  const metadata = parseNodeMetadata(object);
  if (metadata === undefined) return undefined;
  const { name, uid } = metadata;
  const { generations: held, sending, agent } = parseRecord(metadata);
  const labels = labelsOf(object);
  return {
    name,
    uid,
    labels,
    os: labels['kubernetes.io/os'],
    record: {
      name,
      generations: generations.shared(held.map(({ number, driver }) => ({ number, driver }))),
      sending: sendings.shared(sending),
      ...(agent === undefined ? {} : { agent: agents.shared(agent) }),
    },
  };
}

/** Whether they are the same to us; heartbeats change nothing that we keep. */
export function sameNode(a: ClusterNode, b: ClusterNode): boolean {
  return (
    a.uid === b.uid &&
    a.record.generations === b.record.generations &&
    a.record.sending === b.record.sending &&
    a.record.agent === b.record.agent &&
    sameLabels(a.labels, b.labels)
  );
}

function sameLabels(a: Labels, b: Labels): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

function labelsOf(object: unknown): Labels {
  const { labels } = (object as { metadata: { labels?: unknown } }).metadata;
  if (typeof labels !== 'object' || labels === null) return {};
  const kept: Record<string, string> = {};
  for (const [key, value] of Object.entries(labels))
    if (typeof value === 'string') kept[key] = texts.shared(value);
  return kept;
}
