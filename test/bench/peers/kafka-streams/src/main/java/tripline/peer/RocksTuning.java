package tripline.peer;

import java.util.Map;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.Cache;
import org.rocksdb.CompressionType;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;
import org.rocksdb.WriteBufferManager;

/**
 * As the manual's page on memory has it: one block cache and one budget of write buffers for all stores of the process,
 * index and filter blocks in the cache. Large write buffers and Bloom filters, since most look-ups find nothing.
 */
public final class RocksTuning implements RocksDBConfigSetter {
  private static final Cache CACHE = new LRUCache(512L * 1024 * 1024, -1, false, 0.1);
  private static final WriteBufferManager WRITE_BUFFERS = new WriteBufferManager(256L * 1024 * 1024, CACHE);
  private static final BloomFilter FILTER = new BloomFilter(10, false);

  @Override
  public void setConfig(String store, Options options, Map<String, Object> configs) {
    BlockBasedTableConfig table = (BlockBasedTableConfig) options.tableFormatConfig();
    table.setBlockCache(CACHE);
    table.setCacheIndexAndFilterBlocks(true);
    table.setCacheIndexAndFilterBlocksWithHighPriority(true);
    table.setPinTopLevelIndexAndFilter(true);
    table.setBlockSize(16 * 1024);
    table.setFilterPolicy(FILTER);
    options.setTableFormatConfig(table);
    options.setWriteBufferManager(WRITE_BUFFERS);
    options.setWriteBufferSize(16L * 1024 * 1024);
    options.setMaxWriteBufferNumber(4);
    options.setMemtablePrefixBloomSizeRatio(0.1);
    options.setMemtableWholeKeyFiltering(true);
    options.setCompressionType(CompressionType.LZ4_COMPRESSION);
  }

  @Override
  public void close(String store, Options options) {
    // Cache, budget and filter are shared by all stores of the process and live as long as it.
  }
}
