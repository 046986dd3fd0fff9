/** What our objects in a cluster are called: the CLI finds the agents by it, and the admission policies know the writers by it. */

export const NAMESPACE = 'sheath-system';
export const AGENT = 'sheath-agent';
export const CONTROLLER = 'sheath-controller';
/** The job that rotates keys on a schedule of its own. */
export const ROTATE = 'sheath-rotate';

/** The right to write Events, and where those on Nodes, and on all that has no namespace, belong. */
export const EVENTS = { name: 'sheath-events', namespace: 'default' } as const;

/** Where the agents answer `/status`, on their node's address. */
export const AGENT_PORT = 9559;
export const CONTROLLER_PORT = 9560;

export const POLICIES = {
  /** Who may change what on Nodes. */
  nodes: 'sheath-nodes',
  /** What the controller may change of the EncryptionMesh. */
  mesh: 'sheath-mesh',
  /** Nothing is deleted while nodes are still encrypted, or behind closed doors. */
  keep: 'sheath-keep',
} as const;

/** Whoever may do this to encryptionmeshes is an administrator of the mesh; cluster-admin and system:masters may do everything. */
export const ADMINISTER = 'administer';

export type Component = 'agent' | 'controller' | 'rotate';

export function labelsOf(component: Component): { readonly [label: string]: string } {
  return { 'app.kubernetes.io/name': 'sheath', 'app.kubernetes.io/component': component };
}

export function userOf(serviceAccount: string, namespace: string): string {
  return `system:serviceaccount:${namespace}:${serviceAccount}`;
}
