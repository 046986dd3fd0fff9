/** What the agent of a Node may write into its annotations: the same limits that every agent reads by (`mesh/annotations.ts`). */
import type { V1Validation, V1Variable } from '@kubernetes/client-node';
import { ANNOTATIONS, type AnnotationName, LIMITS } from '../../../mesh/annotations.ts';
import type { ManifestOptions } from '../options.ts';
import { list, text, validation, variable } from './cel.ts';

/** RE2 (its syntax page). Fields that a newer agent adds stand behind those that there must be. */
const TEXT = '"([^"\\\\]|\\\\.)*"';
const SCALAR = `(${TEXT}|-?[0-9]+|true|false|null)`;
const FIELD = `"[A-Za-z][A-Za-z0-9]*":(${SCALAR}|\\[(${SCALAR}(,${SCALAR})*)?\\])`;
const GENERATION = `\\{"generation":[1-9][0-9]{0,9},"driver":"[a-z][a-z0-9-]*","publicKey":"[A-Za-z0-9+/]{43}="(,${FIELD})*\\}`;

interface Shape {
  readonly annotation: AnnotationName;
  readonly pattern: string;
  readonly example: string;
}

const SHAPES: readonly Shape[] = [
  {
    annotation: ANNOTATIONS.generations,
    pattern: `^\\[(${GENERATION}(,${GENERATION})*)?\\]$`,
    example: '[{"generation":7,"driver":"wireguard","publicKey":"BASE64","port":51831}]',
  },
  {
    annotation: ANNOTATIONS.sending,
    pattern: '^((0|[1-9][0-9]{0,9})(,[1-9][0-9]{0,9})*)?$',
    example: '6,7',
  },
  {
    annotation: ANNOTATIONS.agent,
    pattern: `^\\{${FIELD}(,${FIELD})*\\}$`,
    example: '{"version":"0.1.0","cannot":[]}',
  },
];

/** In characters, for what a newer agent may write. */
const UNKNOWN_SIZE = 4096;

const { endpoints, prefixes } = ANNOTATIONS;

export function valueVariables(options: ManifestOptions): V1Variable[] {
  const written = (annotation: AnnotationName) => `${text(annotation)} in variables.written`;
  const items = (annotation: AnnotationName) =>
    `${written(annotation)} && variables.now[${text(annotation)}] != '' ? variables.now[${text(annotation)}].split(',') : []`;
  const { ranges } = allowedPrefixes(options);
  return [
    // What an administrator wrote is not the agent's fault, as long as it leaves it.
    variable('written', 'variables.owner ? variables.touched.filter(k, k in variables.now) : []'),
    variable('endpoints', items(endpoints)),
    variable('addresses', ADDRESSES),
    variable(
      'strangeEndpoints',
      'variables.endpoints.filter(a, !(isIP(a) && ip.isCanonical(a) && variables.addresses.exists(b, ip(b) == ip(a))))',
    ),
    variable('prefixes', items(prefixes)),
    variable('brokenPrefixes', 'variables.prefixes.filter(p, !(isCIDR(p) && cidr(p) == cidr(p).masked()))'),
    variable('ranges', ranges),
    variable(
      'strangePrefixes',
      'variables.prefixes.filter(p, !(isCIDR(p) && variables.ranges.exists(c, cidr(c).containsCIDR(p))))',
    ),
  ];
}

/** What the API server vouches for, as agents read it (`operator/kube/node.ts`). */
const ADDRESSES = `
  oldObject != null && has(oldObject.status) && has(oldObject.status.addresses)
  ? oldObject.status.addresses.filter(s, s.type in ['InternalIP', 'ExternalIP'] && isIP(s.address)).map(s, s.address) : []`;

export function values(options: ManifestOptions): V1Validation[] {
  return [...sizes(), ...SHAPES.map((each) => shape(each)), ...contents(options)];
}

function sizes(): V1Validation[] {
  const known = Object.entries(LIMITS).map(([annotation, { size }]) => `${text(annotation)}: ${size}`);
  const many = (name: 'endpoints' | 'prefixes') =>
    `size(variables.${name}) <= ${LIMITS[ANNOTATIONS[name]].items}`;
  return [
    validation({
      holds: `variables.written.all(k, size(variables.now[k]) <= {${known.join(', ')}}[?k].orValue(${UNKNOWN_SIZE}))`,
      message: 'an annotation is larger than agents read',
      reason: 'Invalid',
    }),
    validation({
      holds: `${many('endpoints')} && ${many('prefixes')}`,
      message: `at most ${LIMITS[ANNOTATIONS.endpoints].items} endpoints and ${LIMITS[ANNOTATIONS.prefixes].items} prefixes`,
      reason: 'Invalid',
    }),
  ];
}

function shape({ annotation, pattern, example }: Shape): V1Validation {
  return validation({
    holds: `!(${text(annotation)} in variables.written) || variables.now[${text(annotation)}].matches(${text(pattern)})`,
    message: `${annotation} must look like ${example}`,
    reason: 'Invalid',
  });
}

/** By the source of prefixes: which are a node's own, in CEL, and what to say of others. */
function allowedPrefixes({ prefixSource, clusterPrefixes }: ManifestOptions): {
  readonly ranges: string;
  readonly where: string;
} {
  switch (prefixSource) {
    case 'podCIDRs':
      return {
        ranges:
          'oldObject != null && has(oldObject.spec) && has(oldObject.spec.podCIDRs) ? oldObject.spec.podCIDRs : []',
        where:
          "the Node's podCIDRs; where pods have other addresses, apply the manifests with --prefixes-source and --cluster-prefixes",
      };
    case 'pods':
      return {
        ranges: list(clusterPrefixes),
        where: `${clusterPrefixes.join(', ')}; where pods have others, apply the manifests with these among --cluster-prefixes`,
      };
    case 'annotations':
      return {
        ranges: '[]',
        where: 'what an agent may write: with this source, administrators write prefixes',
      };
  }
}

function contents(options: ManifestOptions): V1Validation[] {
  const { where } = allowedPrefixes(options);
  return [
    // Endpoints become allowed IPs and routes of everybody.
    validation({
      holds: 'size(variables.strangeEndpoints) == 0',
      message: "endpoints are among the Node's own addresses (status.addresses)",
      says: `'endpoint ' + variables.strangeEndpoints[0] + ' is not among the addresses of Node ' + object.metadata.name + ' (status.addresses)'`,
    }),
    validation({
      holds: 'size(variables.brokenPrefixes) == 0',
      message: 'prefixes are like 10.244.3.0/24 or fd00:10:244:3::/64, with no host bits set',
      says: `variables.brokenPrefixes[0] + ' is no prefix like 10.244.3.0/24 or fd00:10:244:3::/64, with no host bits set'`,
      reason: 'Invalid',
    }),
    validation({
      holds: 'size(variables.strangePrefixes) == 0',
      message: `prefixes are inside ${where}`,
      says: `'prefix ' + variables.strangePrefixes[0] + " is not inside ${where}"`,
    }),
  ];
}
