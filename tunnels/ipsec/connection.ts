/**
 * One connection of charon a peer and generation: who it is, with which key, and what is negotiated. Pure.
 *
 * It negotiates all addresses to all addresses, and installs states without policies: which prefixes a peer has is said by policies of
 * our own, so that prefixes come and go without a word to the peer.
 */
import { createHash } from 'node:crypto';
import { publicKeyFromBytes } from 'wireguard-tools-wrapper/keys';
import type { PublicKey } from '../../keys/generation.ts';
import type { Address, PeerLink, PeerPlan } from '../../mesh/types.ts';
import { publicKeyDer } from './key-encoding.ts';
import { type IpsecSettings, REPLAY_WINDOW } from './settings.ts';
import type { Message } from './vici/message.ts';

/** Begins the name of every connection that is ours; whatever else a host's charon has is never touched. */
export const NAME_PREFIX = 'sheath-';

/** How much longer charon waits with rekeying a child than the agent with replacing the session. */
const FALLBACK = 4;

/** VICI takes 255 bytes of a name, the name of a Node may have 253. */
const MAX_NODE = 200;

export interface Ends {
  readonly self: string;
  readonly ownKey: PublicKey;
  readonly local: Address;
  readonly peer: PeerPlan;
  readonly link: PeerLink;
}

/**
 * One of the two sessions that a link may have at a time. A session is an IKE SA with its child; what takes its place, in time or
 * because charon was started anew, is in the other slot, and the old one goes when both ends use the new one. For in one and the same slot
 * the kernel of the end that answers uses new states at once, before the end that asked has the keys.
 */
export type SlotName = 'a' | 'b';

export interface ConnectionRequest extends Ends {
  readonly slot: SlotName;
  readonly mark: { readonly mark: number; readonly mask: number };
  readonly reqid: number;
  readonly settings: IpsecSettings;
}

export interface Connection {
  /** `sheath-7-a-n2`. */
  readonly name: string;
  /** Name of its only child: a digest of all it says, so that what is loaded can be compared by `list-conns`. */
  readonly child: string;
  /** For `load-conn`. */
  readonly message: Message;
}

/** States, policies and the device of one generation have it in common, and with nobody else (`sh` and the generation). */
export const interfaceId = (generation: number): number => (0x73680000 | (generation & 0xffff)) >>> 0;

/** As far as the id tells it, which is modulo 2^16; undefined: it is nobody's of ours. */
export const generationOfId = (id: number): number | undefined =>
  id >>> 16 === 0x7368 ? id & 0xffff : undefined;

/** What ties policies to states: of this peer, on this generation, with this key, in slot `a`. Only this node knows it. */
export function requestId(generation: number, node: string, publicKey: PublicKey): number {
  const digest = createHash('sha256').update(`${generation} ${node} ${publicKey}`).digest();
  // Above what charon hands out itself, which begins at 1. The next one, odd, is the other slot's.
  return (digest.readUInt32BE(0) | 0x40000000) & 0x7ffffffe;
}

/**
 * A new key is a new identity: charon finds keys by identity, and of two for one it may take the wrong one. And who only sees the SA
 * knows whose it is.
 */
export function identity(of: {
  generation: number;
  slot: SlotName;
  node: string;
  publicKey: PublicKey;
}): string {
  return `${of.slot}.${Buffer.from(of.publicKey, 'base64').toString('hex')}.${of.generation}.${of.node}`;
}

const IDENTITY = /^[ab]\.([0-9a-f]{64})\.\d+\.([a-z0-9.-]+)$/;

/** Whose identity it is, or would be: nothing of it is proven. Empty: it is of another kind than ours. */
export function claimsOf(id: string): { readonly node?: string; readonly publicKey?: PublicKey } {
  const [, key, node] = IDENTITY.exec(id) ?? [];
  if (key === undefined || node === undefined) return {};
  return { node, publicKey: publicKeyFromBytes(Buffer.from(key, 'hex')) };
}

/** The key of an identity that is one of ours. */
export const keyOf = (id: string): PublicKey | undefined => claimsOf(id).publicKey;

/** undefined: it is no connection of ours. */
export function generationOfName(name: string): number | undefined {
  const [, number] = /^sheath-(\d+)-/.exec(name) ?? [];
  return number === undefined ? undefined : Number(number);
}

/** What the names of one generation's connections begin with. */
export const namePrefix = (generation: number): string => `${NAME_PREFIX}${generation}-`;

export function connectionName(generation: number, slot: SlotName, node: string): string {
  if (node.length <= MAX_NODE) return `${namePrefix(generation)}${slot}-${node}`;
  const digest = createHash('sha256').update(node).digest('hex').slice(0, 32);
  return `${namePrefix(generation)}${slot}-${node.slice(0, MAX_NODE)}-${digest}`;
}

export function connectionOf(request: ConnectionRequest): Connection {
  const { peer, link, slot } = request;
  const name = connectionName(link.generation, slot, peer.node);
  const ike = ikeOf(request);
  const child = childOf(request);
  const digest = createHash('sha256')
    .update(JSON.stringify([ike, child]))
    .digest('hex')
    .slice(0, 16);
  return {
    name,
    child: digest,
    message: { [name]: { ...ike, children: { [digest]: child } } },
  };
}

function ikeOf({ self, ownKey, local, peer, link, slot, settings }: ConnectionRequest): Message {
  const { generation } = link;
  const { ike, jitter } = settings.lifetimes;
  return {
    version: '2',
    local_addrs: [local],
    // The first is where we go; from wherever else it comes (NAT), the key tells who it is.
    remote_addrs: [peer.endpoint, local.includes(':') ? '::/0' : '0.0.0.0/0'],
    proposals: settings.ikeProposals,
    mobike: 'no',
    // A peer that was restarted comes again while its former SA still carries packets: that one goes when nobody uses it.
    unique: 'never',
    dpd_delay: `${settings.dpd}s`,
    send_certreq: 'no',
    send_cert: 'never',
    ...lifetime(ike, jitter),
    over_time: `${Math.ceil(ike / 10)}s`,
    reauth_time: '0s',
    local: {
      auth: 'pubkey',
      // Prefixed, or charon would guess what kind of name it is.
      id: `fqdn:${identity({ generation, slot, node: self, publicKey: ownKey })}`,
      pubkeys: [publicKeyDer(ownKey)],
    },
    remote: {
      auth: 'pubkey',
      id: `fqdn:${identity({ generation, slot, node: peer.node, publicKey: link.publicKey })}`,
      pubkeys: [publicKeyDer(link.publicKey)],
    },
  };
}

function childOf({ link, mark, reqid, settings }: ConnectionRequest): Message {
  const { child, jitter } = settings.lifetimes;
  const ifId = String(interfaceId(link.generation));
  return {
    mode: 'tunnel',
    local_ts: ['0.0.0.0/0', '::/0'],
    remote_ts: ['0.0.0.0/0', '::/0'],
    esp_proposals: settings.espProposals,
    policies: 'no',
    reqid: String(reqid),
    if_id_in: ifId,
    if_id_out: ifId,
    set_mark_out: `0x${mark.mark.toString(16)}/0x${mark.mask.toString(16)}`,
    replay_window: String(REPLAY_WINDOW),
    // When nobody else does it: with an agent that lives, sessions are replaced before (`healing.ts`).
    ...lifetime(child * FALLBACK, jitter),
    life_time: `${Math.ceil(child * FALLBACK * 1.2)}s`,
    start_action: 'none',
    close_action: 'none',
    // Who tries again, and when, is for `keeper.ts`: of an SA that is gone, charon alone would know nothing.
    dpd_action: 'clear',
  };
}

const lifetime = (seconds: number, jitter: number): Message => ({
  rekey_time: `${seconds}s`,
  rand_time: `${Math.floor(seconds * jitter)}s`,
});
