import type { EncryptionMesh } from '../config/resource.ts';
import { GROUP, RESOURCE_NAME, VERSION } from '../config/resource.ts';
import type { ManifestOptions } from './options.ts';

/**
 * The resource, with what was asked for and no more: a field that stands here is set again with every `kubectl apply`, whatever
 * `sheath enable` made of it meanwhile. Undefined when nothing was asked for.
 */
export function encryptionMesh(options: ManifestOptions): EncryptionMesh | undefined {
  const { encryption, mode, vici, prefixSource, clusterPrefixes, nodePrefixes } = options;
  const spec = {
    ...(encryption === undefined ? {} : { encryption }),
    ...(mode === undefined ? {} : { mode }),
    ...(vici === undefined ? {} : { ipsec: { vici } }),
    ...(clusterPrefixes.length === 0 ? {} : { clusterPrefixes: [...clusterPrefixes] }),
    ...(nodePrefixes.length === 0 ? {} : { nodePrefixes: [...nodePrefixes] }),
    ...(prefixSource === 'podCIDRs' ? {} : { prefixes: { source: prefixSource } }),
  };
  if (Object.keys(spec).length === 0) return undefined;
  return {
    apiVersion: `${GROUP}/${VERSION}`,
    kind: 'EncryptionMesh',
    metadata: { name: RESOURCE_NAME },
    spec,
  };
}
