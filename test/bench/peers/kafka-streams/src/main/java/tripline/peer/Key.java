package tripline.peer;

/** A key of state: whose, of which rule, which. Its hash is mixed, since those of such texts fall into few buckets. */
final class Key {
  final String workspace;
  final String rule;
  final String key;
  private final int hash;

  Key(String workspace, String rule, String key) {
    this.workspace = workspace;
    this.rule = rule;
    this.key = key;
    int mixed = (workspace.hashCode() * 31 + rule.hashCode()) * 31 + key.hashCode();
    mixed = (mixed ^ (mixed >>> 16)) * 0x7feb352d;
    this.hash = mixed ^ (mixed >>> 15);
  }

  /** As the stores have it. */
  String stored() {
    return workspace + '\0' + rule + '\0' + key;
  }

  @Override
  public int hashCode() {
    return hash;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Key that
        && hash == that.hash
        && key.equals(that.key)
        && workspace.equals(that.workspace)
        && rule.equals(that.rule);
  }
}
