/** Policies and states of the kernel (linux/xfrm.h), in our own words. */
import type { Address, Prefix } from '../../../mesh/types.ts';
import type { NetlinkError } from '../../netlink/errors.ts';

/** `out` is what we send, `in` what is for this node, `fwd` what is for its pods. */
export type Direction = 'out' | 'in' | 'fwd';

/**
 * What goes to, or comes from, one prefix of a peer passes by the states with one of these request ids, and by no other: what is sent to
 * the prefix takes them, and what comes from it and did not come by them is dropped. What comes from no such prefix is dropped too.
 */
export interface Policy {
  readonly direction: Direction;
  /** The peer's: destination of `out`, source of the others. */
  readonly prefix: Prefix;
  readonly interfaceId: number;
  /** Of `out` the one that is used; of the others all that may be. */
  readonly reqids: readonly number[];
  /** Outer addresses. Of `in` and `fwd` they are not looked at: the request id says whose states they are. */
  readonly local: Address;
  readonly remote: Address;
}

/** A policy as it was read. */
export interface FoundPolicy extends Policy {
  /** It says something that none of ours says. */
  readonly strange: boolean;
}

/** Of one direction. Without its keys: they are not even taken out of the kernel's answer. */
export interface State {
  readonly spi: number;
  readonly source: Address;
  readonly destination: Address;
  readonly reqid: number;
  readonly interfaceId: number;
  /** UDP port of the source, when it is in UDP for a NAT. */
  readonly port?: number;
  readonly bytes: number;
  /** When it was installed, in milliseconds since the epoch; to the second. */
  readonly installedAt: number;
}

export type XfrmWrite =
  /** Adds or replaces, in one step. */
  | { readonly type: 'setPolicy'; readonly policy: Policy }
  | { readonly type: 'removePolicy'; readonly policy: Pick<Policy, 'direction' | 'prefix' | 'interfaceId'> }
  | { readonly type: 'removeState'; readonly state: Pick<State, 'spi' | 'destination'> };

/** The kernel's IPsec, of the network namespace that the process is in. */
export interface Xfrm {
  /** Those of these interfaces. */
  policies(isOurs: (interfaceId: number) => boolean): Promise<FoundPolicy[]>;
  /** How many there are, of whomever, as text to be compared: costs nothing, where a list costs as much as there are. */
  policyCount(): Promise<string>;
  /** ESP states of these interfaces that have keys. */
  states(isOurs: (interfaceId: number) => boolean): Promise<State[]>;
  /** Done in order, each for itself; one answer a write, undefined when it succeeded. */
  write(writes: readonly XfrmWrite[]): Promise<(NetlinkError | undefined)[]>;
  close(): void;
}
