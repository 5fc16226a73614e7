//! The way out: from a refusal and what is known of the machine to what a person can do about it.

use super::child::Refusal;
use super::machine::Machine;
use super::trial::Trial;
use crate::language::Language;

/// One remedy. Several refusals may have the same, which is then said once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// WSL 1 has to become WSL 2.
    Wsl2,
    /// A profile for Ubuntu's AppArmor.
    AppArmor,
    /// Debian's switch for unprivileged user namespaces.
    UsernsSwitch,
    /// The number of user namespaces allowed is 0.
    UsernsLimit,
    /// The container around us has to be a privileged one.
    Privileged,
    /// newuidmap, and a range in /etc/subuid.
    Uidmap,
    /// systemd has to hand a cgroup over.
    Delegate,
    /// The processes of the container around us have to leave its top group.
    InnerProcesses,
    /// Limits on v1 are for root.
    LimitsAsRoot,
    /// The data has to lie on a file system that can hold an overlay's upper folder.
    OverlayPlace,
    /// The kernel module has to be loaded.
    OverlayModule,
    /// The same for /dev/net/tun.
    TunModule,
}

use Advice::*;

impl Advice {
    /// The remedy for what was refused; none where nothing certain is known.
    pub fn of(trial: Trial, refusal: &Refusal, machine: &Machine) -> Option<Advice> {
        let userns = matches!(refusal.on.as_str(), "CLONE_NEWUSER") || refusal.on.starts_with("/proc/self/");
        Some(match trial {
            _ if machine.wsl1 => Wsl2,
            Trial::IdRange => Uidmap,
            // Where the device is there, it only lacks its usual mode, 0666.
            Trial::Tun if machine.container && refusal.errno != libc::EACCES => Privileged,
            Trial::Tun => TunModule,
            // What stands in the way of the user namespace stands in the way of all that follows.
            _ if userns && machine.userns_off => UsernsSwitch,
            _ if userns && machine.userns_none => UsernsLimit,
            _ if userns && machine.apparmor => AppArmor,
            _ if userns && machine.container => Privileged,
            // AppArmor may let both pass and take the privileges away inside.
            Trial::Namespaces | Trial::Root | Trial::Network if machine.apparmor && !machine.root => AppArmor,
            Trial::Overlay if refusal.errno == libc::ENODEV => OverlayModule,
            Trial::Overlay if refusal.errno == libc::EINVAL => OverlayPlace,
            Trial::Memory | Trial::Cpu | Trial::Pids if refusal.errno == libc::EBUSY => InnerProcesses,
            Trial::Memory | Trial::Cpu | Trial::Pids if machine.root && machine.container => Privileged,
            Trial::Memory | Trial::Cpu | Trial::Pids if machine.root => return None,
            Trial::Memory | Trial::Cpu | Trial::Pids if machine.v2 && machine.systemd => Delegate,
            Trial::Memory | Trial::Cpu | Trial::Pids => LimitsAsRoot,
            _ if machine.container => Privileged,
            _ => return None,
        })
    }

    /// What to do, in words and commands.
    pub fn text(self, language: Language, machine: &Machine) -> String {
        let Machine { user, .. } = machine;
        let repository = machine.repository.display();
        let say = |english: &str, spanish: &str| language.pick(english, spanish).to_owned();
        match self {
            Wsl2 => say(
                "This is WSL 1, which has no Linux kernel. In Windows: wsl --set-version <distribution> 2",
                "Esto es WSL 1, que no tiene un kernel de Linux. En Windows: wsl --set-version <distribución> 2",
            ),
            AppArmor => {
                let why = say(
                    "Ubuntu's AppArmor takes the privileges in a user namespace away from every program that no\nprofile names. Write this to /etc/apparmor.d/canoa-workshop (as root):",
                    "El AppArmor de Ubuntu les quita los privilegios dentro de un espacio de usuario a todos los\nprogramas que ningún perfil nombra. Escribe esto en /etc/apparmor.d/canoa-workshop (como root):",
                );
                let load = say("and load it:", "y cárgalo:");
                format!(
                    "{why}\n\n  abi <abi/4.0>,\n  include <tunables/global>\n  profile canoa-workshop \"{repository}/target/**\" flags=(unconfined) {{\n    userns,\n  }}\n\n{load}\n\n  sudo apparmor_parser -r /etc/apparmor.d/canoa-workshop"
                )
            }
            UsernsSwitch => say(
                "User namespaces are switched off for ordinary users. Until the next boot:\n\n  sudo sysctl -w kernel.unprivileged_userns_clone=1",
                "Los espacios de usuario están apagados para usuarios comunes. Hasta el próximo arranque:\n\n  sudo sysctl -w kernel.unprivileged_userns_clone=1",
            ),
            UsernsLimit => say(
                "No user namespace is allowed on this machine. Until the next boot:\n\n  sudo sysctl -w user.max_user_namespaces=15000",
                "En esta máquina no se permite ningún espacio de usuario. Hasta el próximo arranque:\n\n  sudo sysctl -w user.max_user_namespaces=15000",
            ),
            Privileged => say(
                "You are inside a container, and what surrounds you forbids it. Start it with --privileged, or open\nthis repository in its own dev container (.devcontainer/), which does so.",
                "Estás dentro de un contenedor, y lo que te rodea lo prohíbe. Inícialo con --privileged, o abre este\nrepositorio en su propio dev container (.devcontainer/), que ya lo hace.",
            ),
            Uidmap => {
                let why = say(
                    "Without a range of ids, containers of an ordinary user know only one user, root. For more\n(the package is called shadow-utils on Fedora):",
                    "Sin un rango de identificadores, los contenedores de un usuario común conocen un solo usuario, root.\nPara tener más (en Fedora el paquete se llama shadow-utils):",
                );
                format!(
                    "{why}\n\n  sudo apt install uidmap\n  sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}"
                )
            }
            Delegate => say(
                "systemd gives you no cgroup of your own here. For one terminal:\n\n  systemd-run --user --scope -p Delegate=yes -- \"$SHELL\"\n\nShould the CPU limit still be missing, for good (then log out and in again):\n\n  sudo mkdir -p /etc/systemd/system/user@.service.d\n  printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' | sudo tee /etc/systemd/system/user@.service.d/delegate.conf\n  sudo systemctl daemon-reload",
                "systemd no te da aquí un cgroup propio. Para una sola terminal:\n\n  systemd-run --user --scope -p Delegate=yes -- \"$SHELL\"\n\nSi aun así falta el límite de CPU, esto lo da para siempre (luego cierra la sesión y vuelve a entrar):\n\n  sudo mkdir -p /etc/systemd/system/user@.service.d\n  printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' | sudo tee /etc/systemd/system/user@.service.d/delegate.conf\n  sudo systemctl daemon-reload",
            ),
            InnerProcesses => say(
                "A cgroup that holds processes can't hand controllers down, and yours does. In a container (the dev\ncontainer does this by itself), in the repository's folder:\n\n  sudo .devcontainer/cgroups",
                "Un cgroup que tiene procesos no puede ceder controladores, y el tuyo los tiene. En un contenedor (el\ndev container lo hace solo), en la carpeta del repositorio:\n\n  sudo .devcontainer/cgroups",
            ),
            LimitsAsRoot => say(
                "This machine hands no cgroup over to ordinary users, and only root can set limits. For lesson 3:\n\n  cargo workshop watch --sudo\n\nExercises 4 and 6 need it; the other four, and the other lessons, work without.",
                "Esta máquina no les cede ningún cgroup a los usuarios comunes, y solo root puede poner límites.\nPara la lección 3:\n\n  cargo taller watch --sudo\n\nLo necesitan los ejercicios 4 y 6; los otros cuatro, y las demás lecciones, funcionan sin eso.",
            ),
            OverlayPlace => say(
                "The file system that holds canoa's data can't hold an overlay's writable layer (another overlay,\nNFS and some others can't). Put the data on ext4, xfs, btrfs or tmpfs: --data-root for the daemon.",
                "El sistema de archivos donde están los datos de canoa no puede contener la capa de escritura de un\noverlay (no pueden otro overlay, NFS y algunos más). Pon los datos en ext4, xfs, btrfs o tmpfs, con la opción\n--data-root del daemon.",
            ),
            OverlayModule => say(
                "The kernel has not loaded overlayfs:\n\n  sudo modprobe overlay",
                "El kernel no ha cargado overlayfs:\n\n  sudo modprobe overlay",
            ),
            TunModule => say(
                "Without /dev/net/tun, containers of an ordinary user have no way out to the world:\n\n  sudo modprobe tun\n  sudo chmod 0666 /dev/net/tun",
                "Sin /dev/net/tun, los contenedores de un usuario común no tienen salida al mundo:\n\n  sudo modprobe tun\n  sudo chmod 0666 /dev/net/tun",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::tests::machine;

    fn refusal(step: &str, on: &str, errno: i32) -> Refusal {
        Refusal { step: step.into(), on: on.into(), errno }
    }

    #[test]
    fn ubuntus_refusal_of_the_map_leads_to_the_apparmor_profile() {
        let ubuntu = Machine { apparmor: true, ..machine() };
        let map = refusal("write", "/proc/self/uid_map", libc::EPERM);
        for trial in [Trial::UserNamespace, Trial::Overlay, Trial::Network] {
            assert_eq!(Advice::of(trial, &map, &ubuntu), Some(AppArmor));
        }
        for language in [Language::English, Language::Spanish] {
            assert!(
                AppArmor.text(language, &ubuntu).contains("profile canoa-workshop \"/src/canoa/target/**\"")
            );
        }
    }

    #[test]
    fn limits_depend_on_who_could_hand_a_cgroup_over() {
        let denied = refusal("mkdir", "/sys/fs/cgroup/x", libc::EACCES);
        let of = |machine: &Machine| Advice::of(Trial::Memory, &denied, machine);
        assert_eq!(of(&machine()), Some(Delegate));
        let busy = refusal("write", "/sys/fs/cgroup/cgroup.subtree_control", libc::EBUSY);
        assert_eq!(Advice::of(Trial::Cpu, &busy, &machine()), Some(InnerProcesses));
        assert_eq!(of(&Machine { v2: false, ..machine() }), Some(LimitsAsRoot));
        assert_eq!(of(&Machine { root: true, container: true, ..machine() }), Some(Privileged));
        assert_eq!(
            of(&Machine { root: true, ..machine() }),
            None,
            "nothing certain is known, so nothing is said"
        );
    }

    #[test]
    fn an_overlay_is_refused_for_several_reasons() {
        let of =
            |errno| Advice::of(Trial::Overlay, &refusal("mount overlay on", "/x/merged", errno), &machine());
        assert_eq!(of(libc::ENODEV), Some(OverlayModule));
        assert_eq!(of(libc::EINVAL), Some(OverlayPlace));
        assert_eq!(of(libc::EIO), None);
    }

    #[test]
    fn every_advice_differs_between_the_languages() {
        for advice in [
            Wsl2,
            AppArmor,
            UsernsSwitch,
            UsernsLimit,
            Privileged,
            Uidmap,
            Delegate,
            InnerProcesses,
            LimitsAsRoot,
            OverlayPlace,
            OverlayModule,
            TunModule,
        ] {
            let [english, spanish] =
                [Language::English, Language::Spanish].map(|l| advice.text(l, &machine()));
            assert!(!english.is_empty() && english != spanish, "{advice:?}");
            assert_eq!(english.matches("sudo ").count(), spanish.matches("sudo ").count(), "{advice:?}");
        }
    }
}
