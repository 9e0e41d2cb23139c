/** Workspaces, and organisations, whose name begins so are played by `tripline attack`; none of them is real. */
export const drillPrefix = 'tripline-drill-';
