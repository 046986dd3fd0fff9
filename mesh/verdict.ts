/** In which state a peer is, and why it is not the best one. */
import { isOf, type Scene, type View } from './peer-view.ts';
import type { PeerState, Problem } from './types.ts';
import { STALE_AFTER, UNANSWERED_AFTER } from './wireguard-times.ts';

export interface Verdict {
  readonly state: PeerState;
  readonly reason?: Problem;
  readonly keptUntil?: number;
}

export function judge(scene: Scene, view: View): Verdict {
  const { routed, now } = scene;
  const { peer, unansweredSince, seen } = view;
  if (!view.established) return withoutHandshake(scene, view);
  if (unansweredSince !== undefined && now - unansweredSince >= UNANSWERED_AFTER)
    return { state: 'degraded', reason: noAnswer(view, now - unansweredSince) };
  const keepalive = scene.plan.devices.find(({ name }) => name === view.link.device)?.keepalive ?? 0;
  const age = now - (seen?.lastHandshake ?? now);
  if (keepalive > 0 && view.link.driver === 'wireguard' && age > STALE_AFTER)
    return { state: 'degraded', reason: noAnswer(view, age) };
  if (routed.get(peer.node) === view.link.generation) return ROUTED;
  const message = `${peer.node} is established on generation ${view.link.generation}, its route is set next`;
  return { state: 'established', reason: { code: 'NO_ROUTE_YET', message } };
}

const ROUTED: Verdict = { state: 'routed' };
const PROVED: ReadonlySet<PeerState> = new Set(['established', 'routed', 'degraded']);

/** Milliseconds that a peer which takes another key keeps its route: a handshake takes one, and its record's way to us another. */
const KEY_CHANGE = 10_000;

/**
 * Who proved itself with this very key keeps its route while the device is made anew, and so does one that has a route already, or
 * had one and takes another key: for a while, and not for ever.
 */
function withoutHandshake(scene: Scene, view: View): Verdict {
  const { peer, link, last, before, seen } = view;
  if (scene.receiving.includes(link.device)) return { state: 'configured', reason: onlyOld(view) };
  const keptUntil = keptUntilOf(scene, view);
  const proved =
    keptUntil !== undefined
      ? scene.now < keptUntil
      : last !== undefined
        ? before !== undefined && PROVED.has(before.state)
        : scene.routed.has(peer.node);
  const contended = scene.contended.has(link.publicKey) && seen?.lastHandshake !== undefined;
  const verdict: Verdict = {
    state: proved ? 'degraded' : 'configured',
    reason: contended ? cloned(view) : noHandshake(view),
  };
  return keptUntil === undefined || !proved ? verdict : { ...verdict, keptUntil };
}

/** Until when its route stays, when the link that it was on is gone from its record. */
function keptUntilOf({ now }: Scene, { peer, last, before }: View): number | undefined {
  if (before !== undefined) return before.routeKeptUntil;
  const hadRoute = last?.state === 'routed' || last?.state === 'degraded';
  return hadRoute && !peer.links.some((candidate) => isOf(last, candidate)) ? now + KEY_CHANGE : undefined;
}

function onlyOld({ peer, link }: View): Problem {
  return {
    code: 'NO_COMMON_GENERATION',
    message: `${peer.node} has only generation ${link.generation}, on which this node sends no more: no tunnel until its agent steps up`,
  };
}

function cloned({ peer }: View): Problem {
  const message = `another node answers with the key of ${peer.node}; see which of the two was cloned, and remove its state directory`;
  return { code: 'NO_HANDSHAKE', message };
}

function noHandshake({ peer, link, before }: View): Problem {
  const { node, endpoint } = peer;
  if (link.driver === 'wireguard') {
    const where = `${endpoint}${link.port === 0 ? '' : `:${link.port}`}`;
    const message = `no handshake with ${node} yet; does UDP reach ${where}, and is the agent there running?`;
    return { code: 'NO_HANDSHAKE', message };
  }
  const way = `do UDP 500, UDP 4500 and ESP (IP protocol 50) pass to and from ${endpoint}`;
  if (before?.lastHandshake === undefined && before?.reason?.code !== 'NO_ANSWER') {
    const message = `no IPsec session with ${node} yet; ${way}, and is the agent there running?`;
    return { code: 'NO_HANDSHAKE', message };
  }
  return {
    code: 'NO_ANSWER',
    message: `the IPsec session with ${node} is gone, and there is no new one; is the node up, and ${way}?`,
  };
}

function noAnswer({ peer, link, seen }: View, silence: number): Problem {
  const seconds = Math.round(silence / 1000);
  const where = seen?.endpoint?.address ?? peer.endpoint;
  return {
    code: 'NO_ANSWER',
    message: `${peer.node} has not answered for ${seconds} s; is the node up, and does UDP pass to and from ${where} (port ${link.port})?`,
  };
}
