/** How `deploy/agent.yaml` runs the agents: by this the CLI finds them. */
export const NAMESPACE = 'sheath-system';
export const AGENT_PORT = 9559;
export const AGENT_LABELS: Readonly<Record<string, string>> = {
  'app.kubernetes.io/name': 'sheath',
  'app.kubernetes.io/component': 'agent',
};
