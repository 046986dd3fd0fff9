/** Takes our annotations off a Node, from outside its agent. */
import { ANNOTATIONS } from '../../mesh/annotations.ts';
import { nodePath } from '../../operator/kube/node.ts';
import { openCluster } from '../../operator/kube/open.ts';
import type { Context } from '../context.ts';
import { errorCode } from '../explain.ts';
import { VERSION } from '../version.ts';

export interface AnnotationOptions {
  /** Name of the Node; undefined when nobody said. */
  readonly node: string | undefined;
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
}

/** `left`: they may still be there, and `command` takes them off. */
export type AnnotationsOutcome =
  | { readonly state: 'removed' }
  | { readonly state: 'no such Node' }
  | { readonly state: 'left'; readonly reason: string; readonly command: string };

const ANSWER_WITHIN = 5000;

/** Never throws: a node must be cleaned whether or not the API server answers. */
export async function removeAnnotations(
  options: AnnotationOptions,
  context: Context,
): Promise<AnnotationsOutcome> {
  const { node, ...where } = options;
  if (node === undefined) return left('NODE', 'which Node this is was not said; give --node-name');
  try {
    const { client } = await openCluster({ ...where, environment: context.env }, `sheath/${VERSION}`);
    try {
      const signal = AbortSignal.any([context.signal, AbortSignal.timeout(ANSWER_WITHIN)]);
      await client.merge(nodePath(node), { metadata: { annotations: none() } }, { signal });
      return { state: 'removed' };
    } finally {
      client.close();
    }
  } catch (error) {
    if (errorCode(error) === 'NOT_FOUND') return { state: 'no such Node' };
    return left(node, error instanceof Error ? error.message : String(error));
  }
}

function none(): Readonly<Record<string, null>> {
  return Object.fromEntries(Object.values(ANNOTATIONS).map((name) => [name, null]));
}

function left(node: string, reason: string): AnnotationsOutcome {
  const command = `kubectl annotate node ${node} ${Object.values(ANNOTATIONS)
    .map((name) => `${name}-`)
    .join(' ')}`;
  return { state: 'left', reason, command };
}
