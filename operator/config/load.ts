/**
 * The layers a person speaks through, best first: flags, environment, file (the resource comes between file and default).
 * Each holds a checked, partial spec and says where every value of it stands.
 */
import type { Source, Spec } from './schema.ts';

export interface Layer {
  readonly source: Source;
  readonly spec: Spec;
  /** Names the place of a value, by its path: `--wireguard-port`, `SHEATH_MTU`, `/etc/sheath.yaml:7`. */
  readonly nameOf: (path: string) => string;
}
