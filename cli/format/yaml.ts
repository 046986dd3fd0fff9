/** A module of its own, so that the library is loaded only when YAML is asked for: bundles keep the names of static imports only. */
import { stringify } from 'yaml';

export function toYaml(value: unknown): string {
  // Through JSON first, so that whatever redacts itself there is redacted here.
  return stringify(JSON.parse(JSON.stringify(value)), { lineWidth: 0 });
}
