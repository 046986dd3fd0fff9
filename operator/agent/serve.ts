/** The agent's doors: the socket for root on this machine, and the port for probes and metrics. */

import { type Asked, PORT_ROUTES, SOCKET_ROUTES } from '../http/answers.ts';
import { followEvents } from '../http/events.ts';
import type { Listening } from '../http/server.ts';
import { listenOnAddress, listenOnSocket } from '../http/socket.ts';
import type { PlanAnswer } from '../status.ts';
import type { Assembled } from './assemble.ts';
import { ownAnnotations, published } from './own-node.ts';
import { difference } from './publisher.ts';
import type { AgentOptions } from './run.ts';

/** @throws OperatorError `ALREADY_RUNNING`, `RUN_DIR_UNWRITABLE`, `HTTP_LISTEN` */
export async function serve(options: AgentOptions, assembled: Assembled): Promise<readonly Listening[]> {
  const { agent, view, metrics, events, clock } = assembled;
  const status = () => view.status();
  const asked: Asked = {
    status,
    plan: () => planAnswer(options.nodeName, assembled),
    metrics: () => metrics.scrape(),
    healthy: () => view.healthy(agent.lastTurnAt),
    ready: () => view.ready(),
  };
  const stream = { path: '/events', open: followEvents(events, status, () => clock.now()) };
  const socket = await listenOnSocket(options.runDir, { asked, routes: SOCKET_ROUTES, stream });
  if (options.http === undefined) return [socket];
  try {
    return [socket, await listenOnAddress(options.http, { asked, routes: PORT_ROUTES })];
  } catch (error) {
    await socket.close();
    throw error;
  }
}

async function planAnswer(
  node: string,
  { mesher, kernel, publisher, records, live, clock }: Assembled,
): Promise<PlanAnswer> {
  const { plan, wanted, own } = mesher;
  const { prefixSource } = live().config.mesh;
  const seen = publisher.seen(records.own());
  const annotations = () =>
    difference(
      published(wanted ?? {}, own ?? {}, prefixSource),
      seen?.annotations ?? {},
      ownAnnotations(prefixSource),
    );
  return {
    node,
    now: clock.now(),
    encryption: plan?.encryption ?? 'none',
    changes: plan === undefined ? [] : await kernel.preview(plan),
    annotations: wanted === undefined ? {} : annotations(),
    refused: plan?.refused ?? [],
  };
}
