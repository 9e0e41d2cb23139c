/**
 * The only script of the pages: has the browser make or use a passkey, and sends what came of it to where the button says. It is
 * one text, whose hash the policy of the pages names.
 */
export const script = `
const bytes=t=>Uint8Array.from(atob(t.replace(/-/g,'+').replace(/_/g,'/')),c=>c.charCodeAt(0));
const text=b=>btoa(String.fromCharCode(...new Uint8Array(b))).replace(/[+]/g,'-').replace(/[/]/g,'_').replace(/=/g,'');
const ask=async(url,body)=>{const r=await fetch(url,{method:'POST',headers:{'content-type':'application/json'},body:JSON.stringify(body)});const got=await r.json();if(!r.ok)throw new Error(got.error.message);return got};
const use=async o=>{const c=await navigator.credentials.get({publicKey:{...o,challenge:bytes(o.challenge),allowCredentials:(o.allowCredentials||[]).map(k=>({...k,id:bytes(k.id)}))}});
return{id:c.id,rawId:c.id,type:c.type,clientExtensionResults:{},response:{authenticatorData:text(c.response.authenticatorData),clientDataJSON:text(c.response.clientDataJSON),signature:text(c.response.signature),userHandle:c.response.userHandle?text(c.response.userHandle):undefined}}};
const make=async o=>{const c=await navigator.credentials.create({publicKey:{...o,challenge:bytes(o.challenge),user:{...o.user,id:bytes(o.user.id)},excludeCredentials:(o.excludeCredentials||[]).map(k=>({...k,id:bytes(k.id)}))}});
return{id:c.id,rawId:c.id,type:c.type,clientExtensionResults:{},response:{attestationObject:text(c.response.attestationObject),clientDataJSON:text(c.response.clientDataJSON)}}};
for(const b of document.querySelectorAll('button[data-passkey]'))b.addEventListener('click',async()=>{const out=document.getElementById('outcome');b.disabled=true;out.textContent='';
try{const at=b.dataset.at;const o=await ask(at+'/options',{});const made=await(b.dataset.passkey==='make'?make:use)(o);location.assign((await ask(at,made)).to)}
catch(e){out.textContent=e.name==='NotAllowedError'?'No passkey was used.':e.message;b.disabled=false}});
`;
