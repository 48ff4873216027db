/* SPDX-License-Identifier: Apache-2.0 */
/* Lua 5.1, as Redis and Valkey have it. */

#include "backbone/redis_scripts.h"

#include "backbone/store_redis.h"

#define HEAD "local P='" STORE_REDIS_PREFIX "' local call=redis.call\n"
/* Of an instance's clock and the server's the one that is behind: no fast one makes what lives look expired. */
#define CLOCKS                                                                                               \
    HEAD "local function behind(now)\n"                                                                      \
         "  return math.min(tonumber(now),tonumber(call('TIME')[1]))\n"                                      \
         "end\n"

const char *const redis_scripts[REDIS_SCRIPTS] = {
    [REDIS_SCRIPT_PUT] =
        HEAD "local id,seq,network=ARGV[1],ARGV[2],ARGV[6]\n"
             "local key=P..'record:'..id\n"
             "local old=call('HMGET',key,'seq','public','network')\n"
             "if old[1] and old[1]>=seq then return {1,old[1]} end\n"
             "if not call('ZSCORE',P..'expiry',id) and call('ZCARD',P..'expiry')>=tonumber(ARGV[10]) then\n"
             "  return {2,''} end\n"
             "if old[3] and old[3]~=network then call('ZREM',P..'network:'..old[3],id) end\n"
             "if old[2]=='1' and ARGV[4]~='1' then call('ZREM',P..'public',id) end\n"
             "call('HSET',key,'seq',seq,'expiry',ARGV[3],'public',ARGV[4],'name',ARGV[5],'network',network,\n"
             "  'record',ARGV[7],'signature',ARGV[8])\n"
             "call('EXPIRE',key,ARGV[9])\n"
             "call('ZADD',P..'expiry',ARGV[3],id)\n"
             "if ARGV[4]=='1' then call('ZADD',P..'public',0,id) end\n"
             "if network~='' then call('ZADD',P..'network:'..network,0,id)\n"
             "  call('EXPIRE',P..'network:'..network,7200) end\n"
             "return {0,''}\n",
    [REDIS_SCRIPT_GET] =
        CLOCKS "local id=ARGV[1]\n"
               "local r=call('HMGET',P..'record:'..id,'seq','expiry','public','name','network','record',\n"
               "  'signature')\n"
               "if not r[1] or tonumber(r[2])<=behind(ARGV[2]) then return false end\n"
               "local at=call('GET',P..'linked:'..id)\n"
               "local url=at and call('GET',P..'instance:'..at) or ''\n"
               "return {id,r[1],r[2],r[3],r[4],r[5],r[6],r[7],url}\n",
    /* A member whose record is gone, or is another network's now, is taken out of the list in passing. While a script runs
     * the server serves nobody else: it looks at 2,560 members, and tells then where to go on. */
    [REDIS_SCRIPT_LIST] = CLOCKS
    "local key,after,most,now,whole,room=P..ARGV[1],ARGV[2],tonumber(ARGV[3]),behind(ARGV[4]),\n"
    "  ARGV[5]=='1',tonumber(ARGV[6])\n"
    "local out={}\n"
    "for round=1,20 do\n"
    "  local ids=call('ZRANGEBYLEX',key,after=='' and '-' or '('..after,'+','LIMIT',0,128)\n"
    "  for _,id in ipairs(ids) do\n"
    "    local r=whole and call('HMGET',P..'record:'..id,'seq','expiry','public','name','network',\n"
    "      'record','signature') or call('HMGET',P..'record:'..id,'seq','expiry','public','name','network')\n"
    "    if not r[1] then call('ZREM',key,id)\n"
    "    elseif tonumber(r[2])>now then\n"
    "      out[#out+1]={id,unpack(r)}\n"
    "      room=room-(whole and #r[6]+#r[7] or 0)\n"
    "      if #out==most or room<0 then return out end\n"
    "    end\n"
    "    after=id\n"
    "  end\n"
    "  if #ids<128 then return out end\n"
    "end\n"
    "out[#out+1]={after}\n"
    "return out\n",
    [REDIS_SCRIPT_PRUNE] = HEAD
    "local before=math.min(tonumber(ARGV[1]),tonumber(call('TIME')[1])-tonumber(ARGV[3]))\n"
    "local ids=call('ZRANGEBYSCORE',P..'expiry','-inf',string.format('(%.0f',before),'LIMIT',0,ARGV[2])\n"
    "for _,id in ipairs(ids) do\n"
    "  local r=call('HMGET',P..'record:'..id,'public','network')\n"
    "  if r[1]=='1' then call('ZREM',P..'public',id) end\n"
    "  if r[2] and r[2]~='' then call('ZREM',P..'network:'..r[2],id) end\n"
    "  call('DEL',P..'record:'..id)\n"
    "  call('ZREM',P..'expiry',id)\n"
    "end\n"
    "return #ids\n",
    /* Of many instances each one hears of those that follow it in the order of names, so that nodes of one that dies go to
     * others than those of another. */
    [REDIS_SCRIPT_BEAT] =
        HEAD "local name,url,hour=ARGV[1],ARGV[2],tonumber(ARGV[5])\n"
             "if url=='' then\n"
             "  call('DEL',P..'instance:'..name) call('ZREM',P..'instances',name)\n"
             "else\n"
             "  call('SET',P..'instance:'..name,url,'EX',ARGV[3]) call('ZADD',P..'instances',0,name)\n"
             "end\n"
             "call('SET',P..'generation',ARGV[4],'NX')\n"
             "local out={call('GET',P..'generation')}\n"
             "for i=0,2 do\n"
             "  local key=P..'challenge:'..string.format('%d',hour-1+i)\n"
             "  call('SET',key,ARGV[6+i],'EX',ARGV[9],'NX')\n"
             "  out[#out+1]=call('GET',key)\n"
             "end\n"
             "local most,all=tonumber(ARGV[10]),P..'instances'\n"
             "local ring=call('ZRANGEBYLEX',all,'['..name,'+','LIMIT',0,2*most)\n"
             "for _,other in ipairs(call('ZRANGEBYLEX',all,'-','('..name,'LIMIT',0,2*most)) do\n"
             "  ring[#ring+1]=other\n"
             "end\n"
             "for _,other in ipairs(ring) do\n"
             "  local at=call('GET',P..'instance:'..other)\n"
             "  if not at then call('ZREM',all,other)\n"
             "  elseif #out<4+most then out[#out+1]=at end\n"
             "end\n"
             "return out\n",
    [REDIS_SCRIPT_UNLINK] = HEAD "local key=P..'linked:'..ARGV[1]\n"
                                 "if call('GET',key)~=ARGV[2] then return 0 end\n"
                                 "return call('DEL',key)\n",
};
