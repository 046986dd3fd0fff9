/** `sheath status --cluster` and `sheath plan --cluster` in words. Pure. */
import { notEncrypted } from '../../mesh/progress.ts';
import { rotation, wayOf } from '../../mesh/rotation-progress.ts';
import type { MeshPlan, Refusal } from '../../mesh/types.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Cluster, ClusterNode } from '../sources/cluster.ts';
import { formatConfig } from './config.ts';
import { refusalText } from './refusals.ts';
import { isWell, nodeEntries, verdict } from './status.ts';
import { type Column, printable, renderTable } from './table.ts';
import { wrap } from './text.ts';
import { count, formatAge } from './values.ts';
import type { View } from './view.ts';

/** More than this many troubles say no more than their number does. */
const TROUBLES_SHOWN = 20;

/** The cluster and what `mesh/` refuses of it. */
export interface ClusterReport extends Cluster {
  readonly refused: readonly Refusal[];
}

export function clusterExitCode({ nodes, refused }: ClusterReport): ExitCode {
  const asked = nodes.filter(({ agent }) => agent.answered);
  if (asked.length === 0 && nodes.length > 0) return EXIT.unreachable;
  return nodes.every(isNodeWell) && refused.length === 0 ? EXIT.well : EXIT.wrong;
}

/** Two reports with equal keys tell nothing new. */
export function clusterKey({ nodes, refused }: ClusterReport): string {
  const states = nodes.map(({ node, record, agent }) => [
    node,
    record.generations.map(({ number }) => number),
    record.sending,
    agent.answered ? [agent.status.state, agent.status.problems.map(({ code }) => code)] : 'silent',
  ]);
  return JSON.stringify([states, refused.map(({ node, code }) => [node, code])]);
}

/** One line with the answer, then the troubles; with `wide` every node. */
export function formatCluster(report: ClusterReport, view: View): string {
  const lines = [
    clusterVerdict(report, view),
    ...troubles(report, view),
    ...rotationNote(report, view),
    ...policyNote(report, view),
  ];
  const table = view.wide
    ? `\n${renderTable(report.nodes, { columns: columns(view), paint: view.paint })}`
    : '';
  return `${lines.join('\n')}\n${table}`;
}

/** Nothing is wrong without it, as long as nobody means harm. */
function policyNote({ admissionPolicy }: ClusterReport, view: View): readonly string[] {
  return admissionPolicy?.state === 'absent' ? [entry(`note: ${admissionPolicy.reason}`, view)] : [];
}

/** From the records alone: it is there without a controller too. */
function rotationNote({ nodes, spec }: ClusterReport, view: View): readonly string[] {
  const records = nodes.map(({ record }) => record);
  const passOver = spec?.rotation?.passOver ?? [];
  const driver = spec?.encryption === 'none' ? undefined : spec?.encryption;
  const found =
    spec === undefined ? undefined : rotation({ records, wanted: spec.generation, driver, passOver });
  if (found === undefined) return [];
  const { total, published, switched, withdrawn, stragglers, partial } = found;
  const [first] = stragglers;
  const who = first === undefined ? '' : `; ${first.node}: ${first.reason}`;
  const more = stragglers.length > 1 ? `; and ${stragglers.length - 1} more` : '';
  return [
    entry(
      partial
        ? `note: rotates ${wayOf(found)} as far as it can: ${published} of ${total} Nodes hold both${who}${more}`
        : `note: rotates ${wayOf(found)}: of ${total} Nodes ${published} published, ${switched} switched, ${withdrawn} withdrawn${who}${more}`,
      view,
    ),
  ];
}

/** The settings of every node whose agent answers. */
export function formatClusterConfig(cluster: Cluster, view: View): string {
  return cluster.nodes
    .map(
      ({ node, agent }) =>
        `${view.paint('strong', printable(node))}\n${agent.answered ? formatConfig(agent.status.config, view) : `${printable(agent.reason)}\n`}`,
    )
    .join('\n');
}

function clusterVerdict({ nodes }: ClusterReport, view: View): string {
  const all = nodes.length;
  if (all === 0) return `${view.paint('warn', 'No Nodes')}: the API server knows none`;
  const asked = nodes.filter(({ agent }) => agent.answered).length;
  if (asked === 0) {
    return byRecords(nodes, view);
  }
  const well = nodes.filter(isNodeEncrypted).length;
  if (well === all) {
    const who = all === 1 ? 'the one Node' : `all ${all} Nodes, each to every other`;
    return `${view.paint('good', 'Encrypted')}: ${who}`;
  }
  const silent = asked === all ? '' : `, ${all - asked} could not be asked`;
  return `${view.paint('bad', well === 0 ? 'NOT encrypted' : 'NOT all encrypted')}: ${well} of ${count(all, 'Node')}${silent}`;
}

/** Where no agent could be asked, as in a lab, which has no pods: what the Nodes say, which is what they promised last. */
function byRecords(nodes: readonly ClusterNode[], view: View): string {
  const [all, unasked] = [nodes.length, 'no agent could be asked'];
  const publishing = nodes.filter(({ record }) => record.generations.length > 0).length;
  const well = nodes.filter(({ record }) => notEncrypted({ record }, 'wireguard') === undefined).length;
  if (well === all)
    return `${view.paint('warn', 'Encrypted, as the Nodes say')}: all ${count(all, 'Node')} send nothing in clear to each other; ${unasked}`;
  if (publishing === 0)
    return `${view.paint('warn', 'Not encrypted, as the Nodes say')}: none of ${count(all, 'Node')} published a key; ${unasked}`;
  return `${view.paint('warn', 'Not all encrypted, as the Nodes say')}: ${well} of ${count(all, 'Node')} send nothing in clear, ${publishing} published keys; ${unasked}`;
}

function isNodeEncrypted({ agent }: ClusterNode): boolean {
  return agent.answered && (agent.status.state === 'encrypted' || agent.status.state === 'alone');
}

function isNodeWell({ agent }: ClusterNode): boolean {
  return agent.answered && isWell(agent.status);
}

function troubles({ nodes, refused }: ClusterReport, view: View): readonly string[] {
  const lines = [
    ...nodes.filter((node) => !isNodeWell(node)).flatMap((node) => nodeTrouble(node, refused, view)),
    ...refused.map((refusal) => entry(`${refusal.node}: ${refusalText(refusal)}`, view)),
  ];
  const left = lines.length - TROUBLES_SHOWN;
  return left > 0
    ? [...lines.slice(0, TROUBLES_SHOWN), `  … and ${left} more: -o wide or -o json has every node`]
    : lines;
}

/** What is wrong with a node, as its agent says; without what `refused` tells of everybody, whoever else says it. */
function nodeTrouble(
  { node, record, agent }: ClusterNode,
  refused: readonly Refusal[],
  view: View,
): readonly string[] {
  if (!agent.answered) {
    const published = record.generations.length === 0 ? 'published no key' : 'published its keys';
    const joint = record.generations.length === 0 ? 'and' : 'but';
    return [entry(`${node}: ${published}, ${joint} ${agent.reason}`, view)];
  }
  const isTold = (claim: Refusal | undefined) =>
    refused.some((each) => each.node === claim?.node && each.code === claim.code);
  const entries = nodeEntries(agent.status, view).filter(
    ({ told, refusal }) => told === 'wrong' && !isTold(refusal),
  );
  if (entries.length === 0 && agent.status.state === 'encrypted') return [];
  return [
    [
      entry(verdict(agent.status, view), view),
      ...entries.map(({ who, text }) => entry(`${node}: ${who}: ${text}`, view)),
    ].join('\n'),
  ];
}

function entry(text: string, view: View): string {
  return `  ${wrap(printable(text), { width: view.width, first: 2, rest: 6 })}`;
}

function columns(view: View): readonly Column<ClusterNode>[] {
  return [
    { header: 'NODE', value: ({ node }) => node },
    {
      header: 'STATE',
      value: ({ agent }) => (agent.answered ? agent.status.state : 'unknown'),
      tone: (node) => (isNodeWell(node) ? 'good' : 'bad'),
    },
    {
      header: 'SINCE',
      value: ({ agent }) => (agent.answered ? formatAge(agent.status.since, view.now) : '-'),
      align: 'right',
    },
    {
      header: 'PEERS',
      value: ({ agent }) => (agent.answered ? String(agent.status.peers.length) : '-'),
      align: 'right',
    },
    {
      header: 'GENERATIONS',
      value: ({ record }) =>
        record.generations.map(({ number, driver }) => `${number} ${driver}`).join(', ') || '-',
    },
    { header: 'ENDPOINTS', value: ({ record }) => record.endpoints.join(',') || '-' },
    { header: 'PREFIXES', value: ({ record }) => record.prefixes.join(',') || '-' },
    { header: 'AGENT', value: ({ record }) => record.agent?.version ?? '-' },
  ];
}

/** What each node would hold, a line a peer, then the refused claims. */
export function formatClusterPlan(plans: readonly MeshPlan[], view: View): string {
  if (plans.length === 0) return 'no Node published a key: nothing to plan\n';
  return plans.map((plan) => formatNodePlan(plan, view)).join('\n');
}

function formatNodePlan(plan: MeshPlan, view: View): string {
  const peers = plan.peers.map(({ node, endpoint, links, prefixes }) => {
    const generations = links
      .map(({ generation, driver }) =>
        driver === plan.encryption ? generation : `${generation} (${driver})`,
      )
      .join(', ');
    return entry(`${node}  ${endpoint} generation ${generations}  ${prefixes.join(' ')}`, view);
  });
  const refused = plan.refused.map(({ node, message, code }) =>
    entry(`! ${node}: ${message} (${code})`, view),
  );
  return `${[`${view.paint('strong', printable(plan.self))} to ${count(peers.length, 'peer')}, ${plan.encryption}`, ...peers, ...refused].join('\n')}\n`;
}
