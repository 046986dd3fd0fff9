/** The slice of the desired state that leads packets into the tunnels. */
import type { Address, DeviceName, Family, Prefix } from './types.ts';

/** Which device the traffic to each peer takes; no entry: none yet. From `PeerStatus`, by `planRoutes`. */
export interface RoutePlan {
  readonly routes: readonly RouteEntry[];
  readonly rules: readonly RuleEntry[];
}

/** Keyed as the kernel does: table and prefix. */
export interface RouteEntry {
  readonly table: number;
  readonly prefix: Prefix;
  readonly action:
    | { readonly type: 'device'; readonly device: DeviceName; readonly source?: Address }
    | { readonly type: 'throw' };
}

/**
 * `not from all fwmark M/M lookup T` (kind `unmarked`), `from PREFIX lookup T` (kind `from`), or `from all fwmark M/M lookup T` (kind
 * `marked`: packets of own pods, which the firewall marks).
 */
export type RuleEntry =
  | {
      readonly kind: 'unmarked' | 'marked';
      readonly family: Family;
      readonly priority: number;
      readonly table: number;
      readonly mark: number;
      readonly mask: number;
    }
  | {
      readonly kind: 'from';
      readonly family: Family;
      readonly priority: number;
      readonly table: number;
      readonly from: Prefix;
    };
